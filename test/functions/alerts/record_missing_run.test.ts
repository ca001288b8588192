import test from 'ava'
import { createDatabase, type Sql, untilItWaits } from '../../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../../_support/history.ts'
import { listen } from '../../_support/listen.ts'

const counts = { 'public.orders': 5 }
/** Results just after midnight, so many days ago. */
const results = async (sql: Sql, ...ago: number[]) => {
  const runs: PastRun[] = ago.map((days) => ({ day: -days, at: '00:00:01', counts }))
  return writeRuns(sql, runs, await daysAgo(sql, 0))
}
const missing = (sql: Sql) => sql`select * from nms.table_metrics_alerts where kind = 'run_late'`

for (const [what, found, ago] of [
  ['after yesterday has had no result', true, [2]],
  ['after a weekday has had none on which it always has one', true, [22, 15, 8]],
  ['on weekdays that have never had one', false, [20, 13, 6]],
  ['before there was any', false, []],
] as const) {
  test(`${found ? 'run_late is open' : 'nothing is open'} ${what}, without a run`, async (t) => {
    const { sql } = await createDatabase(t)
    if (ago.length > 0) await results(sql, ...ago)

    t.is((await missing(sql)).length, found ? 1 : 0)
  })
}

test('run_late is open since late_after past the usual time, and not before', async (t) => {
  const { sql } = await createDatabase(t)
  await results(sql, 2)
  const midnight = async (days: number) => {
    const [row] = await sql<[{ at: Date }]>`
      select ${await daysAgo(sql, days)}::date::timestamp at time zone 'America/New_York' as at
    `
    return row.at.getTime()
  }

  const [alert] = await missing(sql)
  t.like(alert, { schema_name: null, table_name: null, row_count: null, run_id: null })
  t.is(alert?.detail, `no result for ${await daysAgo(sql, 1)}, the last one is of ${await daysAgo(sql, 2)}`)
  t.is(alert?.since.getTime(), (await midnight(1)) + 3_601_000)

  await sql`insert into nms.table_metrics_alert_rules (kind, late_after) values ('*', '30 days')`
  t.is((await missing(sql)).length, 0)
})

test('a result of today closes run_late, recorded counts and failures do not', async (t) => {
  const { sql } = await createDatabase(t)
  await results(sql, 2)
  await sql`select nms.import_run(nms.business_date(), '{"public": {"orders": 5}}')`
  await sql`select nms_private.give_up_run(nms.open_run(), 'no more')`
  t.is((await missing(sql)).length, 1)

  await sql`select nms.collect_table_metrics()`

  t.is((await missing(sql)).length, 0)
})

test('a missing run is announced once, until there is a result', async (t) => {
  const db = await createDatabase(t)
  const { sql } = db
  const heard = await listen(db)
  const record = async () => {
    const [row] = await sql<[{ is_news: boolean }]>`select nms_private.record_missing_run() as is_news`
    return row.is_news
  }
  t.false(await record(), 'nothing has ever run')
  await results(sql, 2)

  t.true(await record())
  t.false(await record())
  await sql`select nms_private.give_up_run(nms.open_run(), 'no more')`
  t.false(await record())

  t.deepEqual(
    (await heard()).map(({ kind, detail }) => [kind, detail]),
    [['run_late', `no result for ${await daysAgo(sql, 1)}, the last one is of ${await daysAgo(sql, 2)}`]],
  )
  await sql`select nms.collect_table_metrics()`
  t.deepEqual(
    [
      ...(await sql`
        select opened_by_run, closed_by_run, closed_at is not null as is_closed
        from nms.table_metrics_alert_log where kind = 'run_late'
      `),
    ],
    [{ opened_by_run: null, closed_by_run: '3', is_closed: true }],
  )
  t.false(await record())
})

test('a missing run that two sessions find at once is announced by one of them', async (t) => {
  const db = await createDatabase(t)
  await results(db.sql, 2)
  const [first, second] = [db.connect(), db.connect()]
  const [{ pid }] = await second<[{ pid: number }]>`select pg_backend_pid() as pid`
  await first`begin`
  t.deepEqual([...(await first`select nms_private.record_missing_run() as is_news`)], [{ is_news: true }])
  const answer = second`select nms_private.record_missing_run() as is_news`.execute()
  await untilItWaits(db.sql, pid)

  await first`commit`

  t.deepEqual([...(await answer)], [{ is_news: false }])
})

test('a missing run is not announced while a rule silences it', async (t) => {
  const { sql } = await createDatabase(t)
  await results(sql, 2)
  await sql`
    insert into nms.table_metrics_alert_rules (kind, silenced_until)
    values ('run_late', nms.business_date() + 1)
  `

  const [row] = await sql<[{ is_news: boolean }]>`select nms_private.record_missing_run() as is_news`

  t.false(row.is_news)
  t.is((await missing(sql)).length, 0)
  t.is((await sql`select from nms.table_metrics_alert_log`).length, 0)
})
