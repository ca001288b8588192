import test from 'ava'
import { collect, createDatabase, rowCounts, type Sql, untilItWaits } from '../../_support/database.ts'
import { addFilter, filteredCounts } from '../../_support/filters.ts'

// What an attacker may own: a function that tells as whom it ran, and a type that calls it when it is compared.
const attack = `
  create function public.spy(text) returns text language plpgsql immutable as $$
  begin
    raise warning 'the spy ran as %', current_user;
    return $1;
  end
  $$;
  create type public.evil as (value text);
  create function public.unmask(public.evil) returns text language sql immutable as $$ select public.spy(($1).value) $$;
  create function public.is_true(public.evil) returns boolean language sql immutable as $$ select public.spy('t')::boolean $$;
  create cast (public.evil as text) with function public.unmask(public.evil) as implicit;
  create cast (public.evil as boolean) with function public.is_true(public.evil) as implicit;
  create function public.mask(text) returns public.evil language sql immutable as $$ select row($1)::public.evil $$;
  create domain public.checked as text check (public.spy(value) is not null);
  create table public.orders (id int, status text, paid boolean);
  insert into public.orders select id, 'active', true from generate_series(1, 3) as id;
`
const toEvil = `
  alter table public.orders
    alter column status type public.evil using row(status)::public.evil,
    alter column paid type public.evil using row(paid)::public.evil;
`
const filters = {
  active: { column: 'status', equals: 'active' },
  paid: { column: 'paid', is: 'true' },
  'is paid': { column: 'paid', equals: true },
}

test('a type of the attacker, which is cast by a function, is never compared', async (t) => {
  const { sql, spied } = await spiedDatabase(t)
  await sql.unsafe(toEvil)
  for (const [name, test] of Object.entries(filters)) await addFilter(sql, 'public.orders', name, test)

  const run = await collect(sql)

  t.is(run.status, 'SUCCEEDED')
  t.deepEqual(await filteredCounts(sql, run), {
    'public.orders active': '42804',
    'public.orders is paid': '42804',
    'public.orders paid': '42804',
  })
  t.deepEqual(spied, [])
  await sql`select count(*) filter (where status operator(pg_catalog.=) 'active') from public.orders`
  await sql`select count(*) filter (where paid is true) from public.orders`
  t.is(new Set(spied).size, 1, 'the trap does not work')
  t.true(spied.length >= 2)
})

// However short the moment between the look at a column and the query that reads it.
for (const [what, swap] of [
  ['a type with a cast', toEvil],
  [
    'a domain',
    `
      drop table public.orders;
      create table public.orders (id int, status public.checked, paid public.evil);
      insert into public.orders select id, 'active', public.mask('t') from generate_series(1, 3) as id;
    `,
  ],
  [
    'a view',
    `
      drop table public.orders;
      create view public.orders as select 1 as id, public.mask('active') as status, public.mask('t') as paid;
    `,
  ],
] as const) {
  test(`the expression of a filter is refused when its column has become ${what}`, async (t) => {
    const { sql, spied } = await spiedDatabase(t)
    const expressions = await Promise.all(
      Object.values(filters).map(async (filter) => {
        const [{ expression }] = await sql<[{ expression: string }]>`
          select expression
          from nms_private.filter_test(table_oid => 'public.orders'::regclass, filter => ${sql.json(filter)})
        `
        const query = `select count(*) filter (where ${expression}) as count from only public.orders`
        t.like(await sql.unsafe(query), [{ count: '3' }])
        return query
      }),
    )
    await sql.unsafe(swap)
    spied.length = 0

    for (const query of expressions) await t.throwsAsync(sql.unsafe(query), { code: '42883' }, query)

    t.deepEqual(spied, [])
  })
}

test('an enum is compared without a look for casts, and what has taken its place is refused', async (t) => {
  const { sql, spied } = await spiedDatabase(t)
  await sql.unsafe(`
    create type public.mood as enum ('happy', 'sad');
    create function public.unmask(public.mood) returns text language sql immutable as $$ select public.spy('happy') $$;
    create cast (public.mood as text) with function public.unmask(public.mood) as implicit;
    create table public.moods as select 'happy'::public.mood as mood from generate_series(1, 3);
  `)
  await addFilter(sql, 'public.moods', 'happy', { column: 'mood', equals: 'happy' })
  const [{ expression }] = await sql<[{ expression: string }]>`
    select expression
    from nms_private.filter_test(table_oid => 'public.moods'::regclass, filter => '{"column": "mood", "equals": "happy"}')
  `

  t.deepEqual(await filteredCounts(sql, await collect(sql)), { 'public.moods happy': 3 })
  t.deepEqual(spied, [])

  for (const type of ['public.evil', 'public.checked']) {
    await sql.unsafe(`drop table public.moods; create table public.moods (mood ${type})`)
    const query = `select count(*) filter (where ${expression}) from public.moods`
    await t.throwsAsync(sql.unsafe(query), { message: /enum_eq/ }, query)
  }
  t.deepEqual(spied, [])
})

test('a column that is altered while the run waits for it is looked at again', async (t) => {
  const { db, sql, spied } = await spiedDatabase(t)
  for (const [name, test] of Object.entries(filters)) await addFilter(sql, 'public.orders', name, test)
  const attacker = db.connect()
  const [{ pid }] = await sql<[{ pid: number }]>`select pg_backend_pid() as pid`
  await attacker`begin`
  await attacker.unsafe(toEvil)

  const running = collect(sql)
  await untilItWaits(db.sql, pid)
  await attacker`commit`
  const run = await running

  t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
  t.deepEqual(await rowCounts(sql, run), { 'public.orders': 3 })
  t.deepEqual(Object.values(await filteredCounts(sql, run)), ['42804', '42804', '42804'])
  t.deepEqual(spied, [])
})

test('a column is a column: neither an expression, nor a function of the row, nor the row', async (t) => {
  const { sql, spied } = await spiedDatabase(t)
  await sql.unsafe(`
    create function public.unsafe(public.orders) returns text language sql as $$ select public.spy('x') $$;
  `)
  const columns = [
    "status is null or public.spy('x') is null",
    "(select public.spy('x'))",
    'unsafe',
    'orders',
    'row_to_json',
    'public.orders.status',
    'ctid',
  ]
  for (const column of columns) await addFilter(sql, 'public.orders', column, { column, is: 'not null' })
  // A literal does not end where its author wants it to.
  await addFilter(sql, 'public.orders', 'literal', {
    column: 'status',
    equals: "' or public.spy('x') is null or '' = '",
  })

  const run = await collect(sql)

  t.is(run.status, 'SUCCEEDED')
  t.deepEqual(
    await filteredCounts(sql, run),
    Object.fromEntries([
      ...columns.map((column) => [`public.orders ${column}`, '42703'] as const),
      ['public.orders literal', 0],
    ]),
  )
  t.deepEqual(spied, [])
})

test('a view has no filters', async (t) => {
  const { sql, spied } = await spiedDatabase(t)
  await sql`create view public.recent as select id from public.orders where public.spy('x') = 'x'`
  await addFilter(sql, 'public.recent', 'all', { column: 'id', is: 'not null' })
  spied.length = 0

  t.deepEqual(await filteredCounts(sql, await collect(sql)), {})
  t.deepEqual(spied, [])
  const problems =
    await sql`select subject, detail from nms.find_problems() where problem = 'filter_not_counted'`
  t.is(problems.length, 1)
  t.is(problems[0]?.subject, 'public.recent')
  t.regex(problems[0]?.detail, /not a table/)
})

// For a moment, a name may stand for what has just taken the place of a table.
for (const pages of [0, 1]) {
  test(`a view in the place of a table is not read: ${pages} pages`, async (t) => {
    const { sql, spied } = await spiedDatabase(t)
    await sql`create view public.recent as select id, public.spy('x') as status from public.orders where public.spy('x') = 'x'`
    await addFilter(sql, 'public.recent', 'all', { column: 'status', equals: 'x' })
    spied.length = 0

    const found = await sql`
      select error_sqlstate, own_row_count
      from nms_private.count_tables(
        targets => array[
          row('public.recent'::regclass, 'public', 'recent', 'table', false, ${pages}::int, ${pages}::int, null, null, true, false)
        ]::nms_private.target[]
      )
    `

    t.like(found, [{ error_sqlstate: '55000', own_row_count: null }])
    t.deepEqual(spied, [])
    await sql`select count(*) from only public.recent`
    t.not(spied.length, 0, 'the trap does not work')
  })
}

test('a virtual column is not computed, a stored one is a column like any other', async (t) => {
  const { sql } = await spiedDatabase(t)
  const [{ major }] = await sql<[{ major: number }]>`
    select current_setting('server_version_num')::int / 10000 as major
  `
  await sql`alter table public.orders add column stored text generated always as (upper(status)) stored`
  await addFilter(sql, 'public.orders', 'stored', { column: 'stored', equals: 'ACTIVE' })
  if (major < 18) {
    t.deepEqual(await filteredCounts(sql, await collect(sql)), { 'public.orders stored': 3 })
    return
  }
  await sql`alter table public.orders add column computed text generated always as (upper(status)) virtual`
  await addFilter(sql, 'public.orders', 'computed', { column: 'computed', is: 'null' })

  t.deepEqual(await filteredCounts(sql, await collect(sql)), {
    'public.orders computed': '0A000',
    'public.orders stored': 3,
  })
})

test('types whose equality is not that of their value are refused', async (t) => {
  const { sql } = await spiedDatabase(t)
  await sql.unsafe(`
    create collation public.lax (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    create table public.things (
      shape box, list int[], document json, place point, name public.checked, label text collate public.lax, id uuid
    );
    insert into public.things (id, name) values ('00000000-0000-0000-0000-000000000001', 'a');
  `)
  const literals = {
    shape: '(1,1),(0,0)',
    list: '{1}',
    document: '{}',
    place: '(0,0)',
    name: 'a',
    label: 'a',
    id: '00000000-0000-0000-0000-000000000001',
  }
  for (const [column, equals] of Object.entries(literals)) {
    await addFilter(sql, 'public.things', column, { column, equals })
  }

  t.deepEqual(await filteredCounts(sql, await collect(sql)), {
    'public.things document': '42804',
    'public.things id': 1,
    'public.things label': '0A000',
    'public.things list': '42804',
    'public.things name': '42804',
    'public.things place': '42804',
    'public.things shape': '42804',
  })
})

/** A database with the attack in it, and a session whose warnings by the spy are in `spied`. */
async function spiedDatabase(t: Parameters<typeof createDatabase>[0]) {
  const db = await createDatabase(t)
  const spied: string[] = []
  const sql: Sql = db.connect({
    onnotice: ({ message }) => {
      if (message?.startsWith('the spy')) spied.push(message)
    },
  })
  await sql.unsafe(attack)
  return { db, sql, spied }
}
