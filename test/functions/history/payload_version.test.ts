// The JSON of a run in either version, whatever the setting is.

import test, { type ExecutionContext } from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, writeRun, writeRuns } from '../../_support/history.ts'
import { ask, createReader } from '../../_support/reader.ts'

const counts = {
  'public.a': { rows: '9007199254740993', method: 'estimate', low: 5, high: 9e15 + 1e14 },
  'public.b': {
    rows: 50,
    method: 'carried',
    from: 1,
    bytes: { table: 8192, index: 16384 },
    dead: 0,
    age: 77,
  },
  'public.c': { rows: 9, method: 'maintained' },
  '_version.t': { rows: 4, filtered: { active: 3, 'n"o': 0 } },
  '__version.t': 1,
  'version.t': 2,
} as const

const versions = {
  1: {
    public: { a: '9007199254740993', b: '50', c: '9' },
    _version: { t: '4' },
    __version: { t: '1' },
    version: { t: '2' },
  },
  2: {
    _version: '2',
    public: {
      a: { count: '9007199254740993', method: 'estimate', low: '5', high: '9100000000000000' },
      b: {
        count: '50',
        method: 'carried',
        from_run: '1',
        bytes: '24576',
        table_bytes: '8192',
        index_bytes: '16384',
        dead_rows: '0',
        frozen_age: '77',
      },
      c: { count: '9', method: 'maintained' },
    },
    __version: { t: { count: '4', method: 'exact', filtered: { active: '3', 'n"o': '0' } } },
    ___version: { t: { count: '1', method: 'exact' } },
    version: { t: { count: '2', method: 'exact' } },
  },
}

const setVersion = (sql: Sql, version: number) =>
  sql`update nms.table_metrics_settings set payload_version = ${version}`

/** A run of today that was closed under this setting. */
async function createRun(t: ExecutionContext, version: 1 | 2) {
  const db = await createDatabase(t)
  await setVersion(db.sql, version)
  await writeRun(db.sql, await daysAgo(db.sql, 0), counts)
  return db
}

/** Each number as its digits. */
const exactly = (text: string) =>
  JSON.parse(text, (_key, value, context?: { source?: string }) =>
    typeof value === 'number' ? context?.source : value,
  )

const stored = (sql: Sql) => sql<{ run: string; day: string }[]>`
  select run.payload::text as run, day.payload::text as day
  from nms.table_metrics_run_snapshot as run
  join nms.table_metrics_daily_snapshot as day using (run_id)
  order by run_id
`

for (const setting of [1, 2] as const) {
  test(`payload_version ${setting}: the snapshots hold that version`, async (t) => {
    const { sql } = await createRun(t, setting)

    const [found] = await stored(sql)

    t.deepEqual(exactly(found?.run ?? ''), versions[setting])
    t.is(found?.day, found?.run as string)
  })

  test(`payload_version ${setting}: both versions can be had of a run and of a day, version 1 unless asked`, async (t) => {
    const db = await createRun(t, setting)
    await setVersion(db.sql, 3 - setting)
    const reader = await createReader(db)

    for (const [call, version] of [
      ['run_snapshot()', 1],
      ['run_snapshot(1, 2)', 2],
      ['run_snapshot(version => 1)', 1],
      ['day_snapshot()', 1],
      ['day_snapshot(nms.business_date(), 2)', 2],
      ['day_snapshot(version => 1)', 1],
      ['run_report()', 1],
      ['day_report()', 1],
    ] as const) {
      t.deepEqual(exactly((await ask(reader, call)).text).payload, versions[version], call)
    }
  })

  test(`payload_version ${setting}: made again after the setting has changed, the snapshots are the same bytes`, async (t) => {
    const { sql } = await createRun(t, setting)
    await writeRun(sql, await daysAgo(sql, 0), counts) // which owns the day, so that the first does not
    const contents = () => sql`
      select run_id, payload::text from nms.table_metrics_run_snapshot
      union all
      select 0, payload::text from nms.table_metrics_daily_snapshot
      order by 1
    `
    const before = [...(await contents())]
    await setVersion(sql, 3 - setting)

    const [run] = await sql`select effect from nms.rebuild_run_snapshot(1)`
    const [day] = await sql`select effect from nms.rebuild_daily_snapshot(nms.business_date())`

    t.deepEqual([run?.effect, day?.effect], ['same', 'same'])
    t.is(before.length, 3)
    t.deepEqual([...(await contents())], before)
  })

  test(`payload_version ${setting}: a snapshot of a run that is gone is made in the version of its day`, async (t) => {
    const { sql } = await createRun(t, setting)
    const before = [...(await stored(sql))]
    await setVersion(sql, 3 - setting)
    await sql`delete from nms.table_metrics_run_snapshot`

    const [made] = await sql`select effect from nms.rebuild_run_snapshot(1)`

    t.is(made?.effect, 'made')
    t.deepEqual([...(await stored(sql))], before)
  })
}

test('where nothing is left of a snapshot, it is made in the version of the setting', async (t) => {
  const { sql } = await createRun(t, 1)
  await sql`delete from nms.table_metrics_run_snapshot`
  await sql`delete from nms.table_metrics_daily_snapshot`
  await setVersion(sql, 2)

  await sql`select nms.rebuild_daily_snapshot(nms.business_date())`

  t.deepEqual(exactly((await stored(sql))[0]?.day ?? ''), versions[2])
})

test('a run that found no table is {} in version 1, and nothing but the version in version 2', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRun(sql, await daysAgo(sql, 0), {})

  const payloadIn = async (version: number) =>
    (await ask(sql, `run_snapshot(version => ${version})`)).report.payload

  t.deepEqual(await payloadIn(1), {})
  t.deepEqual(await payloadIn(2), { _version: 2 })
})

test('a run without a snapshot has none in either version', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRuns(sql, [{ day: 0, status: 'FAILED', counts: { 'public.a': null } }])

  for (const version of [1, 2]) {
    t.is((await ask(sql, `run_snapshot(1, ${version})`)).report.payload, null)
  }
})

for (const version of ['0', '3', 'null']) {
  for (const call of [`run_snapshot(null, ${version})`, `day_snapshot(null, ${version})`]) {
    test(`${call}: there is no such version`, async (t) => {
      const { sql } = await createRun(t, 1)

      const error = await t.throwsAsync(ask(sql, call), { code: '22023' })

      t.like(error, { detail: 'expected 1 or 2' })
    })
  }
}

test('counts of version 2 are not imported, those of a schema that is called _version are', async (t) => {
  const { sql } = await createRun(t, 2)
  const past = await daysAgo(sql, 3)
  const record = (version: number) => sql`
    select nms.import_run(${past}::date, nms.day_snapshot(version => ${version}::integer) -> 'payload')
  `

  const error = await t.throwsAsync(record(2), { code: '22023' })
  t.regex(
    (error as unknown as { detail: string }).detail,
    /^_version: saw 2, expected version 1 .*day_snapshot/,
  )
  await record(1)

  t.deepEqual(exactly((await ask(sql, `day_snapshot('${past}')`)).text).payload, versions[1])
})
