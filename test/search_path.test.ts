import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import postgres from 'postgres'
import { connect } from '../src/connection/database.ts'
import { pinned } from '../src/connection/search_path.ts'
import { PinnedClient } from '../src/worker/pinned_client.ts'
import { createDatabase } from './_support/database.ts'

const path = 'pg_catalog, pg_temp'

// Text that a shell or a JSON can bring: Postgres has no character zero, and UTF-8 no lone surrogate.
const text = fc
  .string({ unit: 'binary', maxLength: 40 })
  .filter((value) => value.isWellFormed() && !value.includes('\0'))
const quoting = fc.oneof(
  text,
  fc.string({ unit: fc.constantFrom("'", '\\', 'E', '$', '"', ';', '-', '\n', 'é') }),
)

for (const setting of ['on', 'off']) {
  test(`a value arrives as it is, with standard_conforming_strings ${setting}`, async (t) => {
    const sql = pinned(
      postgres((await createDatabase(t)).url, {
        max: 1,
        connection: { standard_conforming_strings: setting } as object,
      }),
    )
    t.teardown(() => sql.end())
    await fc.assert(
      fc.asyncProperty(quoting, fc.array(quoting), fc.jsonValue(), async (value, values, json) => {
        const [row] = await sql<[{ value: string; values: string[]; json: unknown; none: null }]>`
          select
            ${value}::text as value,
            to_jsonb(${values}::text[]) as values,
            ${sql.json(json as postgres.JSONValue)}::jsonb as json,
            ${null}::text as none
        `
        t.deepEqual([row.value, row.values, row.none], [value, values, null])
        const [{ same }] = await sql<[{ same: boolean }]>`
          select ${sql.json(json as postgres.JSONValue)} = ${JSON.stringify(json)}::jsonb as same
        `
        t.true(same)
      }),
      { numRuns: 150 },
    )
  })
}

test('numbers, truth, names and parts of a query arrive as what they are', async (t) => {
  const sql = await connectWith(t)
  const part = sql`1 + ${-2}::int`
  const [row] = await sql`
    select
      ${part} as sum, 5 - ${-3}::int as difference, ${9007199254740993n}::bigint as large, ${true} as truth,
      1 as ${sql('a "strange" name')}
  `

  t.deepEqual(row, {
    sum: -1,
    difference: 8,
    large: '9007199254740993',
    truth: true,
    'a "strange" name': 1,
  })
})

test('a value that is undefined is refused', async (t) => {
  const sql = await connectWith(t)

  t.throws(() => sql`select ${undefined as unknown as null}`, { instanceOf: TypeError })
})

test('every query has a path of ours, alone, in a message and in a transaction; afterwards the session has its own', async (t) => {
  const sql = await connectWith(t, 'set search_path = public')
  const show = 'select current_setting($$search_path$$) as path'

  const [alone] = await sql`select current_setting('search_path') as path`
  const [, [message]] = (await sql.unsafe(show)) as unknown as [unknown, [{ path: string }]]
  const [inside] = await sql.begin(
    (transaction) => transaction`select current_setting('search_path') as path`,
  )

  t.deepEqual([alone?.path, message.path, inside?.path], [path, path, path])
})

test('a temporary object of the session hides nothing', async (t) => {
  const db = await createDatabase(t)
  const session = db.connect()
  await session.unsafe(`
    create temporary view pg_class as select 1 / 0 as oid;
    create domain pg_temp.text as pg_catalog.text check (1 / 0 = 1);
  `)
  await t.throwsAsync(session.unsafe('select * from pg_class'), { code: '22012' })
  await t.throwsAsync(session.unsafe(`select 'a'::text`), { code: '22012' })

  const [row] = await pinned(session)`select 'a'::text as a, count(*) > 0 as has_relations from pg_class`

  t.deepEqual(row, { a: 'a', has_relations: true })
})

test('a connection of graphile-worker has a path of ours, in its own transactions and in those around a query', async (t) => {
  const db = await createDatabase(t)
  const client = new PinnedClient({ connectionString: db.url })
  await client.connect()
  t.teardown(() => client.end())
  const show = `select current_setting('search_path') as path`
  const shown = async () =>
    (await (client.query(show) as Promise<{ rows: { path: string }[] }>)).rows[0]?.path

  t.is(await shown(), path)
  await (client.query('begin') as Promise<unknown>)
  await (client.query('create table public.kept ()') as Promise<unknown>)
  t.is(await shown(), path)
  await (client.query('commit') as Promise<unknown>)
  await t.throwsAsync(client.query('select 1 / 0'), { code: '22012' })
  t.is(await shown(), path)
  // Asked at once, and answered in order.
  const asked = [1, 2, 3].map(
    (n) => client.query({ text: 'select $1::int as n', values: [n] }) as Promise<{ rows: { n: number }[] }>,
  )
  t.deepEqual(
    (await Promise.all(asked)).map(({ rows }) => rows[0]?.n),
    [1, 2, 3],
  )
  t.deepEqual(
    [...(await db.sql`select to_regclass('public.kept') is not null as is_kept`)],
    [{ is_kept: true }],
  )
})

test('a query of graphile-worker is not sent when its transaction does not begin', async (t) => {
  const db = await createDatabase(t)
  const client = new PinnedClient({ connectionString: db.url })
  client.on('error', () => undefined)
  await client.connect()
  const [{ pid }] = await db.sql<[{ pid: number }]>`
    select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
      and backend_type = 'client backend' order by backend_start desc limit 1
  `
  await db.sql`select pg_terminate_backend(${pid})`

  await t.throwsAsync(client.query('create table public.unsent ()'))

  t.deepEqual(
    [...(await db.sql`select to_regclass('public.unsent') is null as is_unsent`)],
    [{ is_unsent: true }],
  )
})

async function connectWith(t: ExecutionContext, ...statements: string[]) {
  const db = await createDatabase(t)
  for (const statement of statements) await db.sql.unsafe(`alter database ${db.name} ${statement}`)
  const sql = connect(db.url)
  t.teardown(() => sql.end())
  return sql
}
