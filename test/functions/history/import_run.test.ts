import test from 'ava'
import { createDatabase } from '../../_support/database.ts'
import { daysAgo, writeRun } from '../../_support/history.ts'

test('recorded counts are a marked run that owns its day', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.events (id int) partition by range (id);
    create table public.events_1 partition of public.events for values from (0) to (100);
  `)
  const day = await daysAgo(sql, 400)
  const payload = { public: { events: 30, events_1: 30 }, 'Gone By': { 'Old.Table': 0 } }

  const [run] = await sql`select * from nms.import_run(${day}::date, ${sql.json(payload)})`

  t.is(run?.status, 'SUCCEEDED')
  t.true(run?.is_imported)
  t.is(run?.snapshot_date, day)
  t.deepEqual(
    [...(await sql`select snapshot_date, run_id, payload from nms.table_metrics_daily_snapshot`)],
    [{ snapshot_date: day, run_id: run?.run_id, payload }],
  )
  t.deepEqual(
    [
      ...(await sql`
        select table_name, row_count::integer, own_row_count::integer, method, is_partition
        from nms.table_metrics_measurements order by 1
      `),
    ].map((row) => Object.values(row)),
    [
      ['Old.Table', 0, 0, 'imported', false],
      ['events', 30, 0, 'imported', false],
      ['events_1', 30, 30, 'imported', true],
    ],
  )
})

test('a day that was counted is not recorded over, one that was recorded is', async (t) => {
  const { sql } = await createDatabase(t)
  const [counted, recorded] = [await daysAgo(sql, 2), await daysAgo(sql, 3)]
  await writeRun(sql, counted, { 'public.orders': 1 })
  const record = (day: string, orders: number) =>
    sql`select nms.import_run(${day}::date, ${sql.json({ public: { orders } })})`
  await record(recorded, 7)
  await record(recorded, 8)

  await t.throwsAsync(record(counted, 9), { code: '55000' })

  t.deepEqual(
    [...(await sql`select snapshot_date, payload from nms.table_metrics_daily_snapshot order by 1`)],
    [
      { snapshot_date: recorded, payload: { public: { orders: 8 } } },
      { snapshot_date: counted, payload: { public: { orders: 1 } } },
    ],
  )
})

test('malformed counts and days are refused with what was seen, and leave nothing', async (t) => {
  const { sql } = await createDatabase(t)
  const today = await daysAgo(sql, 0)
  const refused: [payload: string, seen: string][] = [
    ['[]', '[]'],
    ['null', 'null'],
    ['{"public": 5}', '5'],
    ['{"public": {"orders": "5"}}', '"5"'],
    ['{"public": {"orders": -1}}', '-1'],
    ['{"public": {"orders": 1.5}}', '1.5'],
    ['{"public": {"orders": 9223372036854775808}}', '9223372036854775808'],
    ['{"public": {"orders": null}}', 'null'],
    ['{"public": {"": 5}}', '""'],
    ['{"": {"orders": 5}}', '""'],
  ]
  for (const [payload, seen] of refused) {
    const error = await t.throwsAsync(sql`select nms.import_run(${today}::date, ${payload}::text::jsonb)`, {
      code: '22023',
    })
    t.true((error as unknown as { detail: string }).detail.includes(`saw ${seen}`), payload)
  }
  await t.throwsAsync(sql`select nms.import_run(nms.business_date() + 1, '{}')`, { code: '22023' })
  await t.throwsAsync(sql`select nms.import_run(null, '{}')`, { code: '22023' })
  await t.throwsAsync(sql`select nms.import_run('infinity', '{}')`, { code: '22023' })
  await t.throwsAsync(sql`select nms.import_run('-infinity', '{}')`, { code: '22023' })
  await t.throwsAsync(sql`select nms.import_run(${today}::date, null)`, { code: '22023' })
  t.deepEqual([...(await sql`select from nms.table_metrics_runs`)], [])
})

test('a name that no table can have is refused, in bytes, and one with control characters is a name', async (t) => {
  const { sql } = await createDatabase(t)
  const today = await daysAgo(sql, 0)
  const record = (payload: object) =>
    sql`select nms.import_run(${today}::date, ${sql.json(payload as never)})`
  const longest = ['x'.repeat(63), `${'ä'.repeat(31)}x`, '\u001b[2J\r\n'.repeat(10)]

  for (const name of longest) await t.notThrowsAsync(record({ [name]: { [name]: 1 } }))
  for (const name of ['x'.repeat(64), 'ä'.repeat(32), 'x'.repeat(90_000)]) {
    for (const payload of [{ [name]: { orders: 1 } }, { public: { orders: 1, [name]: 1 } }, { [name]: 5 }]) {
      const error = await t.throwsAsync(record(payload), { code: '22023' })
      const { detail } = error as unknown as { detail: string }
      t.regex(detail, /63 bytes|object/)
      t.true(detail.length < 500)
    }
  }

  t.deepEqual(
    [...(await sql`select table_name from nms.table_metrics_measurements order by run_id`)].map(
      ({ table_name }) => table_name,
    ),
    longest,
  )
})
