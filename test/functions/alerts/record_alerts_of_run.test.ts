import test from 'ava'
import type { Notice } from 'postgres'
import { collectRows, createShop, log } from '../../_support/alert_shop.ts'
import { openAlerts } from '../../_support/alerts.ts'
import { collect, createDatabase, type Run, type Sql } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'
import { listen } from '../../_support/listen.ts'

/** From now on, looking for alerts does this instead. */
const replaceFindAlerts = (sql: Sql, statement: string) =>
  sql.unsafe(`
    create or replace function nms.find_alerts(run_id bigint)
    returns table (
      kind text, schema_name text, table_name text, row_count bigint, expected_low bigint, expected_high bigint,
      detail text, filter_name text
    )
    language plpgsql stable security definer set search_path = pg_catalog, pg_temp
    as $$ begin ${statement}; end $$
  `)

const result = async (sql: Sql, { run_id }: Pick<Run, 'run_id'>) => {
  const [row] = await sql`
    select run.status, run.error_message, snapshot.payload, daily.run_id as owner
    from nms.table_metrics_runs as run
    left join nms.table_metrics_run_snapshot as snapshot using (run_id)
    left join nms.table_metrics_daily_snapshot as daily using (snapshot_date)
    where run.run_id = ${run_id}
  `
  return { ...row }
}
const succeeded = (run: Run) => ({
  status: 'SUCCEEDED',
  error_message: null,
  payload: { public: { lines: 7, orders: 40 } },
  owner: run.run_id,
})

for (const [what, statement, code] of [
  ['an exception', `raise exception 'out of order' using errcode = 'disk_full'`, '53100'],
  ['a failed assertion', `assert false, 'out of order'`, 'P0004'],
  ['a cancel', `raise exception 'out of order' using errcode = 'query_canceled'`, '57014'],
] as const) {
  test(`${what} while alerts are recorded is a warning, and the run has succeeded`, async (t) => {
    const db = await createShop(t)
    await replaceFindAlerts(db.sql, statement)
    const notices: Notice[] = []
    const sql = db.connect({ onnotice: (notice) => notices.push(notice) })

    const run = await collectRows(sql, 40)

    t.deepEqual(await result(db.sql, run), succeeded(run))
    t.is(notices.length, 1)
    t.like(notices[0], { severity: 'WARNING', code, detail: 'out of order' })
    t.true(notices[0]?.hint?.includes(`nms.record_alerts(${run.run_id})`))
    t.deepEqual(await log(db.sql), [])
  })
}

test('a run that failed stays so when its alerts cannot be recorded', async (t) => {
  const { sql } = await createShop(t)
  await replaceFindAlerts(sql, `raise exception 'out of order'`)

  const [run] = await sql<[Run]>`select * from nms_private.give_up_run(nms.open_run(), 'no more')`

  t.like(run, { status: 'FAILED', error_message: 'no more' })
  t.like(await result(sql, run), { status: 'FAILED', error_message: 'no more' })
})

test('alerts that could not be recorded are recorded when one tries again', async (t) => {
  const db = await createShop(t)
  const [{ definition }] = await db.sql<[{ definition: string }]>`
    select pg_get_functiondef('nms.find_alerts(bigint)'::regprocedure) as definition
  `
  await replaceFindAlerts(db.sql, `raise exception 'out of order'`)
  const run = await collectRows(db.sql, 40)
  await db.sql.unsafe(definition)
  const heard = await listen(db)
  const record = () => db.sql`select nms.record_alerts(${run.run_id}) as opened`

  t.deepEqual([...(await record())], [{ opened: '1' }])
  t.deepEqual([...(await record())], [{ opened: '0' }])

  t.deepEqual(await openAlerts(db.sql), ['drop public.orders'])
  t.is((await heard()).length, 1)
})

for (const opened of [false, true]) {
  const what = opened ? 'an opened run' : 'a run'

  test(`${what} that is canceled while its alerts are looked for has succeeded`, async (t) => {
    const db = await createShop(t)
    await replaceFindAlerts(db.sql, 'perform pg_sleep(60)')
    const session = db.connect()
    const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
    await session`set nms.raise_cancel = 'on'`
    const [{ run_id }] = opened
      ? await session<[{ run_id: string | null }]>`select nms.open_run() as run_id`
      : [{ run_id: null }]
    await session`truncate public.orders`
    await session`insert into public.orders select generate_series(1, 40)`
    const running = session<[Run]>`select * from nms.collect_table_metrics(run_id => ${run_id})`.execute()
    await eventually(
      async () =>
        (await db.sql`select from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`).length ===
        1,
      'alerts are looked for',
    )

    await db.sql`select pg_cancel_backend(${pid})`

    const [run] = await running
    t.is(run.status, 'SUCCEEDED')
    t.deepEqual(await result(db.sql, run), succeeded(run))
  })
}

test('a run that meets statement_timeout while its alerts are looked for has succeeded', async (t) => {
  const db = await createShop(t)
  await replaceFindAlerts(db.sql, 'perform pg_sleep(60)')
  const session = db.connect()
  await session`set statement_timeout = '10s'`

  const run = await collectRows(session, 40)

  t.is(run.status, 'SUCCEEDED')
  t.deepEqual(await result(db.sql, run), succeeded(run))
})

test('a run does not wait for long for another session that records alerts', async (t) => {
  const db = await createShop(t)
  const holder = db.connect()
  await holder`begin`
  await holder`select nms_private.take_turn(of => 'nms_private.alert_turn')`
  const [{ pid }] = await holder<[{ pid: number }]>`select pg_backend_pid() as pid`
  const notices: Notice[] = []
  const sql = db.connect({ onnotice: (notice) => notices.push(notice) })
  const run = await collectRows(sql, 40)

  t.deepEqual(await result(db.sql, run), succeeded(run))
  t.deepEqual(
    notices.map(({ code }) => code),
    ['55P03'],
  )
  t.true(notices[0]?.detail?.includes(`session ${pid}`), notices[0]?.detail)
})

test('runs that end at once all succeed, and one of them opens the alert', async (t) => {
  const db = await createShop(t)
  const heard = await listen(db)
  await db.sql`truncate public.orders`
  await db.sql`insert into public.orders select generate_series(1, 40)`
  const sessions = Array.from({ length: 6 }, () => db.connect())

  const runs = await Promise.all(sessions.map((sql) => collect(sql)))

  for (const { status, error_message } of runs) t.is(status, 'SUCCEEDED', error_message ?? '')
  t.deepEqual(await openAlerts(db.sql), ['drop public.orders'])
  t.is((await log(db.sql)).length, 1)
  t.is((await heard()).length, 1)
})

test('an alert with the longest names and reasons fits into a notification', async (t) => {
  const db = await createDatabase(t)
  const { sql } = db
  const heard = await listen(db)
  const name = '\u0001'.repeat(63)
  const other = '"'.repeat(63)
  await sql`insert into nms.table_metrics_alert_rules (kind, failures_in_a_row) values ('repeated_failures', 1)`
  await sql`create schema ${sql(name)}`
  await sql`create table ${sql(name)}.${sql(name)} (id int)`
  await collect(sql)
  await sql`alter table ${sql(name)}.${sql(name)} rename to ${sql(other)}`
  await collect(sql)

  for (const text of ['\u0001', '€', '\u{1F4C8}', '"', '\\'])
    await sql`select nms_private.give_up_run(nms.open_run(), ${text.repeat(5000)})`
      .then(() => collect(sql))
      .catch((error) => t.fail(error.message))

  const notifications = await heard()
  for (const change of ['alert_opened', 'alert_closed']) {
    t.deepEqual(
      notifications.flatMap(({ event, kind }) => (event === change ? [kind] : [])).sort(),
      [...Array(5).fill('repeated_failures'), 'table_missing', 'table_new'],
      change,
    )
  }
})

for (const [what, length, character] of [
  ['of 90,000 characters', 90_000, 'x'],
  ['that an index only just takes', 1_300, ''],
] as const) {
  test(`a name ${what} in the history keeps no other alert from being recorded and announced`, async (t) => {
    const db = await createShop(t)
    const { sql } = db
    const heard = await listen(db)
    // What cannot be compressed is as long in an index as it is.
    const random = () =>
      Array.from({ length }, () => String.fromCharCode(97 + Math.floor(Math.random() * 26))).join('')
    const [schema, table] = character
      ? [character.repeat(length), character.repeat(length)]
      : [random(), random()]
    await sql`
      insert into nms.table_metrics_measurements (
        run_id, schema_name, table_name, row_count, own_row_count, measured_at, table_kind, is_partition, table_oid
      )
      select run_id, ${schema}, ${table}, 5, 5, now(), 'table', false, 0 from nms.table_metrics_runs
    `

    const run = await collectRows(sql, 0)

    t.is(run.status, 'SUCCEEDED')
    const kinds = ['dropped_to_zero', 'table_missing']
    t.deepEqual(
      [...(await sql`select kind from nms.table_metrics_alerts order by kind`)].map(({ kind }) => kind),
      kinds,
    )
    const notifications = await heard()
    t.deepEqual(notifications.map(({ kind }) => kind).sort(), kinds)
    const cut = notifications.find(({ kind }) => kind === 'table_missing')
    t.is(cut?.table_name, table.slice(0, 63))

    await sql`select nms.record_alerts(${run.run_id})`
    t.is((await log(sql)).length, 2, 'it is the same alert when it is found again')
  })
}

test('a notification that does not fit is cut, and the alert is recorded in full', async (t) => {
  const db = await createShop(t)
  const { sql } = db
  const heard = await listen(db)
  const long = '\u001b'.repeat(5000)
  await replaceFindAlerts(
    sql,
    `return query
      select 'drop', 'public', 'orders', 1::bigint, 2::bigint, 3::bigint, repeat(chr(27), 5000), null
      union all
      select 'spike', 'public', 'lines', 1::bigint, 2::bigint, 3::bigint, 'short', null`,
  )

  await collectRows(sql, 40)

  t.deepEqual(
    (await log(sql)).map(({ kind, detail }) => [kind, detail]),
    [
      ['drop', long],
      ['spike', 'short'],
    ],
  )
  t.deepEqual(
    (await heard()).map(({ kind, table_name, detail }) => [kind, table_name, detail]),
    [
      ['drop', 'orders', `${long.slice(0, 1000)}…`],
      ['spike', 'lines', 'short'],
    ],
  )
})
