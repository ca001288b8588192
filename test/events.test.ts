import test from 'ava'
import { type CollectRequest, collectTableMetrics, type RunEvent } from '../src/index.ts'
import { collectRows, createShop } from './_support/alert_shop.ts'
import { collect, type Sql, type TestDatabase } from './_support/database.ts'

/** Runs the collector as a program does, and what it is told of that. */
async function told(db: TestDatabase, request: CollectRequest = {}): Promise<RunEvent[]> {
  const events: RunEvent[] = []
  await collectTableMetrics(db.url, request, { report: (event) => events.push(event) })
  return events
}

const names = (events: RunEvent[]) => events.map(({ event }) => event)
const truncate = (sql: Sql) => sql`truncate public.orders`

test('a run whose request is refused is told as failed, and after three of them the alert is', async (t) => {
  const db = await createShop(t)
  const refused = () => told(db, { exclude: ['orders'] })

  const [first, ...none] = await refused()
  await refused()
  const [third, alert, ...others] = await refused()

  t.deepEqual([...none, ...others], [])
  t.like(first, { event: 'run_failed', run_id: '21' })
  t.regex((first as { reason: string }).reason, /^exclude: saw "orders"/)
  t.like(third, { event: 'run_failed', run_id: '23' })
  t.like(alert, { event: 'alert_opened', run_id: '23', kind: 'repeated_failures' })
})

test('an alert that closes is told with what it was, since when, and which run had opened it', async (t) => {
  const db = await createShop(t)
  const opening = await collectRows(db.sql, 40)
  await db.sql`insert into public.orders select generate_series(41, 100)`

  const events = await told(db)

  t.deepEqual(names(events), ['run_started', 'run_succeeded', 'alert_closed'])
  const closed = events.at(-1)
  t.like(closed, {
    run_id: '22',
    kind: 'drop',
    table: 'public.orders',
    since: opening.finished_at?.toISOString(),
    opened_by_run: opening.run_id,
  })
  t.regex((closed as { detail: string }).detail, /^40 rows, /)
})

test('a day that was late is told as such no longer when it has a result', async (t) => {
  const db = await createShop(t)
  await db.sql`delete from nms.table_metrics_alert_rules`
  await db.sql`delete from nms.table_metrics_runs where snapshot_date >= nms.business_date() - 2`
  await db.sql`select nms_private.record_missing_run()`

  const closed = (await told(db)).filter(({ event }) => event.startsWith('alert_'))

  t.is(closed.length, 1)
  t.like(closed[0], { event: 'alert_closed', kind: 'run_late', opened_by_run: undefined, table: undefined })
})

test('many alerts of one kind are one event', async (t) => {
  const db = await createShop(t)
  await db.sql.unsafe(
    `do $$ begin for n in 1..300 loop execute format('create table public.new_%s ()', n); end loop; end $$`,
  )
  await truncate(db.sql)

  const events = (await told(db)).filter(({ event }) => event === 'alert_opened')

  const [{ detail }] = await db.sql<[{ detail: string }]>`
    select detail from nms.table_metrics_alert_log where kind = 'dropped_to_zero'
  `
  t.deepEqual(events, [
    { event: 'alert_opened', run_id: '21', kind: 'dropped_to_zero', table: 'public.orders', detail },
    {
      event: 'alert_opened',
      run_id: '21',
      kind: 'table_new',
      alerts: 300,
      schema: 'public',
      detail: '300 tables, such as public.new_1, public.new_10, public.new_100',
    },
  ])
})

test('a run that was abandoned is told by the one that ends it, with what that opens', async (t) => {
  const db = await createShop(t)
  await db.sql`insert into nms.table_metrics_alert_rules (kind, failures_in_a_row) values ('repeated_failures', 1)`
  await db.sql`select nms.open_run()`
  await db.sql`update nms.table_metrics_runs set collected_at = now() - interval '1 hour' where status = 'RUNNING'`

  const events = await told(db)

  t.deepEqual(
    events.map((event) => [event.event, event.run_id]),
    [
      ['run_abandoned', '21'],
      ['alert_opened', '21'],
      ['run_started', '22'],
      ['run_succeeded', '22'],
      ['alert_closed', '22'],
    ],
  )
})

test('of runs that end at once, one tells of the alert', async (t) => {
  const db = await createShop(t)
  await truncate(db.sql)

  const events = (await Promise.all([told(db), told(db), told(db)])).flat()

  t.is(events.filter(({ event }) => event === 'run_succeeded').length, 3)
  t.is(events.filter(({ event }) => event === 'alert_opened').length, 1)
  await db.sql`insert into public.orders select generate_series(1, 100)`
  const later = (await Promise.all([told(db), told(db), told(db)])).flat()
  t.is(later.filter(({ event }) => event === 'alert_closed').length, 1)
})

test('the server log has one line for all that a run opens and closes', async (t) => {
  const db = await createShop(t)
  await collectRows(db.sql, 40)
  await db.sql.unsafe(
    `do $$ begin for n in 1..1000 loop execute format('create table public.new_%s ()', n); end loop; end $$`,
  )
  await truncate(db.sql)
  const lines: string[] = []
  const session = db.connect({
    onnotice: ({ severity, message }) => severity === 'LOG' && lines.push(message ?? ''),
    connection: { client_min_messages: 'log' },
  })

  await collect(session)

  const [line, ...others] = lines.filter((line) => line.startsWith('table metrics: '))
  t.deepEqual(others, [])
  t.regex(
    line ?? '',
    /^table metrics: alert_opened dropped_to_zero public\.orders: empty, .*; alert_opened table_new in public: 1,000 tables, such as .*; alert_closed drop public\.orders \(since \d{4}-.*\): 40 rows, [^\n]*$/,
  )
})
