import ava, { type ExecutionContext } from 'ava'
import { collect, createDatabase, type TestDatabase } from '../_support/database.ts'
import { createHistory, daysAgo } from '../_support/history.ts'
import { tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

/** Two weeks of 1,000 orders, and today none. */
async function emptiedOrders(t: ExecutionContext): Promise<TestDatabase> {
  const days = Array.from({ length: 14 }, (_, day) => [day + 1, { public: { orders: 1000, items: 500 } }])
  const db = await createHistory(t, Object.fromEntries(days))
  await db.sql.unsafe(`
    create table public.orders ();
    create table public.items as select generate_series(1, 500) as id;
  `)
  return db
}

test('alerts tells what is strange, since when, and what would have been usual', async (t) => {
  const db = await emptiedOrders(t)
  await collect(db.sql)

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['alerts'])

  t.is(status, 0, stderr)
  t.regex(
    stdout,
    new RegExp(
      `^1 dropped_to_zero public\\.orders, since ${await daysAgo(db.sql, 0)} \\d\\d:\\d\\d\n  empty, 1,000 rows on ${await daysAgo(db.sql, 1)} \\(-100 %\\), usually about 1,000 rows\n$`,
    ),
  )
})

test('alerts --json has a row of the view for each', async (t) => {
  const db = await emptiedOrders(t)
  const { run_id } = await collect(db.sql)

  const { stdout } = await tableMetrics(t, db.url, ['alerts', '--json'])

  const [{ since, ...alert }, ...more] = JSON.parse(stdout)
  t.deepEqual(more, [])
  t.true(Math.abs(Date.parse(since) - Date.now()) < 600_000)
  t.deepEqual(alert, {
    kind: 'dropped_to_zero',
    schema_name: 'public',
    table_name: 'orders',
    row_count: 0,
    expected_low: 850, // 15 % less and 30 % more than what it always was
    expected_high: 1300,
    detail: `empty, 1,000 rows on ${await daysAgo(db.sql, 1)} (-100 %), usually about 1,000 rows`,
    run_id: Number(run_id),
    filter_name: null,
    alert_id: 1,
    acknowledged_at: null,
    acknowledged_by: null,
    acknowledgement: null,
  })
})

test('status has the open alerts in its table', async (t) => {
  const db = await emptiedOrders(t)
  await collect(db.sql)

  const { stdout } = await tableMetrics(t, db.url, ['status'])

  t.regex(stdout, /^open alerts: 1\n\nsince +alert +table +detail *\n/m)
  t.regex(stdout, /^\d{4}-\d\d-\d\d \d\d:\d\d +dropped_to_zero +public\.orders +empty, /m)
})

test('collect --log json tells of a new alert once', async (t) => {
  const db = await emptiedOrders(t)
  const alertsOf = async () => {
    const { stdout } = await tableMetrics(t, db.url, ['collect', '--log', 'json'])
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    return events.filter(({ event }) => event === 'alert_opened')
  }

  const [alert, ...more] = await alertsOf()
  const later = await alertsOf()

  t.deepEqual(more, [])
  t.like(alert, { level: 'warn', kind: 'dropped_to_zero', table: 'public.orders' })
  t.deepEqual(later, [])
})

test('nothing strange is said in one line, and is an empty list', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.orders ()`
  await collect(db.sql)

  t.is((await tableMetrics(t, db.url, ['alerts'])).stdout, 'no open alerts\n')
  t.deepEqual(JSON.parse((await tableMetrics(t, db.url, ['alerts', '--json'])).stdout), [])
  t.regex((await tableMetrics(t, db.url, ['status'])).stdout, /^open alerts: none$/m)
})

test('many alerts of one kind are one line, and --all has each', async (t) => {
  const db = await emptiedOrders(t)
  await db.sql.unsafe(`
    create schema staging;
    do $$ begin for n in 1..300 loop execute format('create table staging.t%s ()', n); end loop; end $$;
  `)
  await collect(db.sql)
  const output = async (...args: string[]) => (await tableMetrics(t, db.url, args)).stdout

  const groups = await output('alerts')
  t.regex(groups, /^(\d+ )?dropped_to_zero public\.orders, since .*\n {2}empty, 1,000 rows on .*$/m)
  t.regex(
    groups,
    /^table_new staging\.\*, since .*\n {2}300 tables, such as staging\.t1, staging\.t10, staging\.t100$/m,
  )
  t.regex(groups, /^each of them: table-metrics alerts --all$/m)
  t.is(groups.match(/table_new/g)?.length, 1)

  const status = await output('status')
  t.regex(status, /^open alerts: 301$/m)
  t.regex(status, /^\S+ \S+ +table_new +staging\.\* +300 tables/m)
  t.true(status.split('\n').length < 25, status)

  const all = await output('alerts', '--all')
  t.is(all.match(/table_new staging\.t\d+, since/g)?.length, 300)
  t.is(JSON.parse(await output('alerts', '--json')).length, 301)
  t.is(JSON.parse(await output('status', '--json')).alerts.length, 301)
})
