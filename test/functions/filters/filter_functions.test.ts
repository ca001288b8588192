import test from 'ava'
import { collectTableMetrics } from '../../../src/run/collect.ts'
import { collect, createDatabase, rowCounts, type TestDatabase } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'
import { filteredCounts } from '../../_support/filters.ts'
import { rolesScript } from '../../_support/reader.ts'

for (const online of [false, true]) {
  test(`a function of the table's owner counts for a filter: online ${online}`, async (t) => {
    const db = await createDatabase(t)
    await shop(db, `return (select count(*) from shop.orders where id <= 4)`)

    const run = await collectTableMetrics(db.url, {}, { online })

    t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
    t.deepEqual(await rowCounts(db.sql, run), { 'shop.orders': 10, 'shop.secret': 3 })
    t.deepEqual(await filteredCounts(db.sql, run), { 'shop.orders few': 4 })
  })
}

test('a call in SQL, which could not bound it, calls no function', async (t) => {
  const db = await createDatabase(t)
  await shop(db, `return 4`)

  t.deepEqual(await filteredCounts(db.sql, await collect(db.sql)), {})
})

const outcomes: [what: string, code: string, body: string, after?: (owner: string) => string][] = [
  ['reads what its owner may not', '42501', `return (select count(*) from shop.secret)`],
  ['writes', '25006', `delete from shop.orders; return 1`],
  ['fails', '22012', `return 1 / 0`],
  ['returns null', '22000', `return null`],
  ['pretends to be canceled', '57014', `raise query_canceled`],
  ['fails an assertion', 'P0004', `assert false; return 1`],
  ['is not security definer', '42501', `return 4`, () => 'alter function shop.few() security invoker'],
  ['belongs to somebody else', '42501', `return 4`, () => 'alter function shop.few() owner to postgres'],
  ['is out of reach', '42501', `return 4`, () => 'revoke usage on schema shop from table_metrics_nobody'],
  ['may not be executed', '42501', `return 4`, () => 'revoke execute on function shop.few() from public'],
  [
    'returns something else',
    '42501',
    `return 4`,
    () => `
      drop function shop.few();
      create function shop.few() returns text security definer language sql as $$ select '4' $$
    `,
  ],
  ['is gone', '42883', `return 4`, () => 'drop function shop.few()'],
  [
    'is not named with its schema',
    '42883',
    `return 4`,
    () => `update nms.table_metrics_filters set function_name = 'few'`,
  ],
]

for (const [what, code, body, after] of outcomes) {
  test(`a function that ${what} is no count, and the run succeeds`, async (t) => {
    const db = await createDatabase(t)
    const owner = await shop(db, body)
    if (after) await db.sql.unsafe(after(owner))

    const run = await collectTableMetrics(db.url)

    t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
    t.deepEqual(await rowCounts(db.sql, run), { 'shop.orders': 10, 'shop.secret': 3 })
    t.deepEqual(await filteredCounts(db.sql, run), { 'shop.orders few': code })
    const problems =
      await db.sql`select subject from nms.find_problems() where problem = 'filter_not_counted'`
    t.is(problems.length, after ? 1 : 0)
  })
}

/** Calls the function of `shop()` for a new run, in a session of its own. */
async function call(db: TestDatabase, timeout: string) {
  const sql = db.connect()
  const [run] = await sql<[{ run_id: string; pid: number }]>`
    select nms.open_run() as run_id, pg_backend_pid() as pid
  `
  await sql`select set_config('statement_timeout', ${timeout}, false)`
  const calling = sql`
    select nms_private.call_filter_function(
      run_id => ${run.run_id}, table_oid => 'shop.orders'::regclass, filter_name => 'few'
    )
  `.execute()
  return { run, sql, calling }
}

test('a function that takes too long is no count, and the run goes on', async (t) => {
  const db = await createDatabase(t)
  await shop(db, `perform pg_sleep(600); return 4`)
  const { run, sql, calling } = await call(db, '300')

  await calling

  await sql`reset statement_timeout`
  const [{ status }] = await sql<[{ status: string }]>`
    select status from nms.collect_table_metrics(run_id => ${run.run_id})
  `
  t.is(status, 'SUCCEEDED')
  t.deepEqual(await filteredCounts(sql, run), { 'shop.orders few': '57014' })
})

for (const timeout of ['0', '10min']) {
  test(`who cancels the call of a function is not ignored: statement_timeout ${timeout}`, async (t) => {
    const db = await createDatabase(t)
    await shop(db, `perform pg_sleep(600); return 4`)
    const { run, calling } = await call(db, timeout)
    const refused = t.throwsAsync(calling, { code: '57014' })

    await eventually(async () => {
      const [canceled] = await db.sql`
        select pg_cancel_backend(pid) from pg_stat_activity where pid = ${run.pid} and wait_event = 'PgSleep'
      `
      return canceled !== undefined
    }, 'the function sleeps')

    await refused
    t.deepEqual(await filteredCounts(db.sql, run), {})
  })
}

const asNobody = `raise notice 'called as %', current_user; return (select count(*) from shop.secret)`
test('a function that acts for its caller, once it is called, finds one without rights', async (t) => {
  const db = await createDatabase(t)
  const owner = await shop(db, asNobody)
  const heard: string[] = []
  const sql = db.connect({ onnotice: ({ message }) => heard.push(message ?? '') })
  const attack = () => sql`select nms_private.call_as_nobody('shop.few()'::regprocedure)`

  await t.throwsAsync(attack(), { code: '42501' })
  await db.sql`alter function shop.few() security invoker`
  await t.throwsAsync(attack(), { code: '42501' })
  // Planned, it would be called already.
  await db.sql`alter function shop.few() immutable`
  await t.throwsAsync(attack(), { code: '42501' })

  t.deepEqual(
    heard,
    [owner, 'table_metrics_nobody', 'table_metrics_nobody'].map((name) => `called as ${name}`),
  )
})

test('where nobody has run the script of roles, no function is called', async (t) => {
  const db = await createDatabase(t)
  await shop(db, `return 4`)
  await db.sql`alter function nms_private.call_as_nobody(oid) owner to postgres`

  const run = await collectTableMetrics(db.url)

  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.deepEqual(await filteredCounts(db.sql, run), { 'shop.orders few': '55000' })
  await t.throwsAsync(db.sql`select nms_private.call_as_nobody('shop.few()'::regprocedure)`, {
    code: '55000',
  })
})

test('only for a run that is RUNNING, and a filter that it has', async (t) => {
  const db = await createDatabase(t)
  await shop(db, `return 4`)
  const run = await collect(db.sql)
  const call = (run_id: string, name: string) => db.sql`
    select nms_private.call_filter_function(
      run_id => ${run_id}, table_oid => 'shop.orders'::regclass, filter_name => ${name}
    )
  `

  await t.throwsAsync(call(run.run_id, 'few'), { code: 'P0002' })
  const [open] = await db.sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  await t.throwsAsync(call(open.run_id, 'many'), { code: 'P0002' })
  t.deepEqual(await filteredCounts(db.sql, open), {})
})

/** A table of a role of its own, with a function for the filter `few`, beside a table that this role may not read. */
async function shop(db: TestDatabase, body: string): Promise<string> {
  const { name } = await db.createRole()
  await db.connect().unsafe(rolesScript)
  await db.sql.unsafe(`
    create schema shop;
    grant usage on schema shop to table_metrics_nobody;
    create table shop.orders as select generate_series(1, 10) as id;
    create table shop.secret as select generate_series(1, 3) as id;
    grant usage, create on schema shop to ${name};
    alter table shop.orders owner to ${name};
    create function shop.few() returns bigint security definer language plpgsql as $$ begin ${body}; end $$;
    alter function shop.few() owner to ${name};
  `)
  await db.sql`
    insert into nms.table_metrics_filters (schema_name, table_name, filter_name, function_name)
    values ('shop', 'orders', 'few', 'shop.few')
  `
  return name
}
