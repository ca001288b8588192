import test from 'ava'
import fc from 'fast-check'
import type { Notice } from 'postgres'
import {
  collect,
  createDatabase,
  type Run,
  rowCounts,
  type Sql,
  type TestDatabase,
} from './_support/database.ts'

type Call = (sql: Sql, skip: string | null, exclude: string | null) => Promise<Run>

// Arguments travel as JSON text, so that JSON null stays apart from SQL null.
const calls: Record<string, Call> = {
  collect_table_metrics: async (sql, skip, exclude) => {
    const [run] = await sql<[Run]>`
      select * from nms.collect_table_metrics(skip => ${skip}::text::jsonb, exclude => ${exclude}::text::jsonb)
    `
    return run
  },
  open_run: async (sql, skip, exclude) => {
    const [{ run_id }] = await sql<[Pick<Run, 'run_id'>]>`
      select nms.open_run(skip => ${skip}::text::jsonb, exclude => ${exclude}::text::jsonb) as run_id
    `
    const [run] = await sql<[Run]>`select * from nms.table_metrics_runs where run_id = ${run_id}`
    return run
  },
}

/** A session that keeps what the server tells it. */
function listen({ connect }: TestDatabase) {
  const notices: Notice[] = []
  return { sql: connect({ onnotice: (notice) => notices.push(notice) }), notices }
}

async function traces(sql: Sql) {
  const [row] = await sql<[Record<string, number>]>`
    select
      (select count(*)::int from nms.table_metrics_measurements) as measurements,
      (select count(*)::int from nms.table_metrics_run_snapshot) as run_snapshots,
      (select count(*)::int from nms.table_metrics_daily_snapshot) as daily_snapshots
  `
  return { ...row }
}
const nothing = { measurements: 0, run_snapshots: 0, daily_snapshots: 0 }

// An argument, and the part of it that is wrong.
const neverAnArgument = [
  ['{}', '{}'],
  ['{"skip": []}', '{"skip": []}'],
  ['7', '7'],
  ['"public.orders"', '"public.orders"'],
  ['""', '""'],
  ['true', 'true'],
  ['null', 'null'],
  ['[1]', '1'],
  ['[null]', 'null'],
  ['[true]', 'true'],
  ['[{}]', '{}'],
  ['[[]]', '[]'],
  ['[["public.orders"]]', '["public.orders"]'],
  ['[""]', '""'],
  ['["public.orders", ""]', '""'],
] as const
const malformed = {
  skip: { expected: '"tmp"', wrong: neverAnArgument },
  exclude: {
    expected: '"public.orders"',
    wrong: [
      ...neverAnArgument,
      ['["orders"]', '"orders"'],
      ['["public.orders", "orders"]', '"orders"'],
      ['[".orders"]', '".orders"'],
      ['["public."]', '"public."'],
      ['["."]', '"."'],
      [String.raw`["\"orders\""]`, String.raw`"\"orders\""`],
      [String.raw`["\"public.orders\""]`, String.raw`"\"public.orders\""`],
      [String.raw`["\"a\"\".\"\"b\""]`, String.raw`"\"a\"\".\"\"b\""`],
    ] as const,
  },
}

for (const [name, call] of Object.entries(calls)) {
  for (const [argument, { expected, wrong }] of Object.entries(malformed)) {
    test(`a malformed ${argument} gives ${name} a FAILED run that says what was seen and expected, and a warning`, async (t) => {
      const db = await createDatabase(t)
      await db.sql`create table public.orders (id int)`
      const { sql, notices } = listen(db)

      for (const [value, seen] of wrong) {
        notices.length = 0

        const run = await (argument === 'skip' ? call(sql, value, null) : call(sql, null, value))

        t.is(run.status, 'FAILED', value)
        t.not(run.finished_at, null, value)
        t.true(run.error_message?.startsWith(`${argument}: saw ${seen}, expected `), run.error_message ?? '')
        t.true(run.error_message?.includes(expected), run.error_message ?? '')
        t.deepEqual(
          argument === 'skip' ? run.skip_schemas : run.exclude_tables,
          JSON.parse(value),
          'the request is kept as it was given',
        )
        t.like(notices, { length: 1, 0: { severity: 'WARNING', code: '22023' } }, value)
        t.true(notices[0]?.message?.includes(`run ${run.run_id}`))
        t.is(notices[0]?.detail, run.error_message as string)
        t.true(notices[0]?.hint?.includes('nms.collect_table_metrics('))
      }
      t.deepEqual(await traces(sql), nothing)
      t.deepEqual(
        [...(await sql`select run_id from nms.table_metrics_runs`)].length,
        wrong.length,
        'each call left one header',
      )
    })
  }

  test(`${name} names both arguments when both are malformed`, async (t) => {
    const { sql } = await createDatabase(t)

    const run = await call(sql, '{}', '["orders", 3]')

    t.is(run.status, 'FAILED')
    for (const part of ['skip: saw {}', 'exclude: saw "orders"', 'exclude: saw 3']) {
      t.true(run.error_message?.includes(part), part)
    }
  })

  test(`SQL null means no entries to ${name}`, async (t) => {
    const db = await createDatabase(t)
    const { sql, notices } = listen(db)

    const run = await call(sql, null, null)

    t.not(run.status, 'FAILED')
    t.deepEqual([run.skip_schemas, run.exclude_tables, run.unmatched_entries], [[], [], []])
    t.deepEqual(notices, [])
  })

  test(`${name} cuts its message about thousands of malformed entries at 2,000 characters`, async (t) => {
    const { sql } = await createDatabase(t)
    const entries = JSON.stringify(Array.from({ length: 3000 }, (_, entry) => `orders😀${entry}`))

    const run = await call(sql, '[]', entries)

    t.is(run.status, 'FAILED')
    t.is([...(run.error_message ?? '')].length, 2000)
    t.true(run.error_message?.startsWith('exclude: saw "orders😀'))
  })

  test(`${name} warns of thousands of malformed entries in a detail of at most 2,000 characters`, async (t) => {
    const db = await createDatabase(t)
    const { sql, notices } = listen(db)

    await call(sql, '[]', JSON.stringify(Array.from({ length: 3000 }, (_, entry) => `orders${entry}`)))

    t.true((notices[0]?.detail?.length ?? 0) <= 2000, `${notices[0]?.detail?.length} characters`)
  })

  test(`${name} takes a very long entry, well-formed or not`, async (t) => {
    const { sql } = await createDatabase(t)
    const long = 'x'.repeat(300_000)

    const accepted = await call(sql, '[]', JSON.stringify([`public.${long}`, `"${long}"."${long}"`]))
    const refused = await call(sql, '[]', JSON.stringify([`"${long}.${long}"`, long]))

    t.not(accepted.status, 'FAILED')
    t.is(accepted.unmatched_entries.length, 2)
    t.is(refused.status, 'FAILED')
    t.true((refused.error_message?.length ?? 0) <= 2000)
  })
}

const shop = `
  create table public.orders (id int);
  create schema "Sales";
  create table "Sales"."Orders" (id int);
  create table "Sales"."Order.Items" (id int);
  create table "Sales"."say ""hi""" (id int);
  create schema "a.b";
  create table "a.b".c (id int);
  create schema a;
  create table a."b.c" (id int);
  create schema "q""uote";
  create table "q""uote"."Zeilen ÄÖ" (id int);
  create schema "1 + 1";
  create table "1 + 1"."select" (id int);
`
const tables = [
  '1 + 1.select',
  'Sales.Order.Items',
  'Sales.Orders',
  'Sales.say "hi"',
  'a.b.c', // of schema a.b
  'a.b.c', // of schema a
  'public.orders',
  'q"uote.Zeilen ÄÖ',
]
const spellings: [entry: string, table: string][] = [
  ['public.orders', 'public.orders'],
  ['"public"."orders"', 'public.orders'],
  ['public."orders"', 'public.orders'],
  ['"public".orders', 'public.orders'],
  ['Sales.Orders', 'Sales.Orders'],
  ['"Sales"."Orders"', 'Sales.Orders'],
  ['Sales.Order.Items', 'Sales.Order.Items'],
  ['"Sales"."Order.Items"', 'Sales.Order.Items'],
  ['Sales."Order.Items"', 'Sales.Order.Items'],
  ['"Sales".Order.Items', 'Sales.Order.Items'],
  ['Sales.say "hi"', 'Sales.say "hi"'],
  ['"Sales"."say ""hi"""', 'Sales.say "hi"'],
  ['q"uote.Zeilen ÄÖ', 'q"uote.Zeilen ÄÖ'],
  ['"q""uote"."Zeilen ÄÖ"', 'q"uote.Zeilen ÄÖ'],
  ['"q""uote".Zeilen ÄÖ', 'q"uote.Zeilen ÄÖ'],
  ['1 + 1.select', '1 + 1.select'],
  ['"1 + 1"."select"', '1 + 1.select'],
]

async function measured(sql: Sql, run: Run): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select schema_name || '.' || table_name as name from nms.table_metrics_measurements where run_id = ${run.run_id}
  `
  return rows.map(({ name }) => name).sort()
}

test('exclude takes a table spelled as the catalogue does, quoted as in SQL, or either way by halves', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(shop)

  for (const [entry, table] of spellings) {
    const run = await collect(sql, { exclude: [entry] })

    t.is(run.status, 'SUCCEEDED', entry)
    t.deepEqual(
      await measured(sql, run),
      tables.filter((name) => name !== table),
      entry,
    )
    t.deepEqual(run.unmatched_entries, [], entry)
  }
})

test('an unquoted entry that two tables answer to leaves both out, quotes choose one', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(shop)
  const excluded = async (entry: string) => {
    const run = await collect(sql, { exclude: [entry] })
    const left = await sql<{ schema: string }[]>`
      select schema_name as schema from nms.table_metrics_measurements
      where run_id = ${run.run_id} and schema_name || '.' || table_name = 'a.b.c'
    `
    return left.map(({ schema }) => schema)
  }

  t.deepEqual(await excluded('a.b.c'), [])
  t.deepEqual(await excluded('"a.b"."c"'), ['a'])
  t.deepEqual(await excluded('"a"."b.c"'), ['a.b'])
})

test('skip takes a schema spelled as the catalogue does or quoted as in SQL', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(shop)

  for (const [entry, schema] of [
    ['public', 'public'],
    ['"public"', 'public'],
    ['Sales', 'Sales'],
    ['"Sales"', 'Sales'],
    ['a.b', 'a.b'],
    ['"a.b"', 'a.b'],
    ['q"uote', 'q"uote'],
    ['"q""uote"', 'q"uote'],
    ['1 + 1', '1 + 1'],
  ] as const) {
    const run = await collect(sql, { skip: [entry] })

    const rows = await sql<{ name: string }[]>`
      select distinct schema_name as name from nms.table_metrics_measurements where run_id = ${run.run_id}
    `
    t.deepEqual(
      rows.map(({ name }) => name).sort(),
      ['1 + 1', 'Sales', 'a', 'a.b', 'public', 'q"uote'].filter((name) => name !== schema),
      entry,
    )
    t.deepEqual(run.unmatched_entries, [], entry)
  }
})

test('an entry that matches nothing leaves everything counted, a notice and its name on the header', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(shop)
  const { sql, notices } = listen(db)
  const misspelled = ['Public.orders', '"PUBLIC"."orders"', 'sales.orders', 'SALES.ORDERS', 'public.order ']

  const run = await collect(sql, {
    skip: ['sales', 'public.orders'],
    exclude: [...misspelled, 'public.orders', 'sales.orders'],
  })

  t.is(run.status, 'SUCCEEDED')
  t.deepEqual(
    await measured(sql, run),
    tables.filter((name) => name !== 'public.orders'),
  )
  const expected = [
    { argument: 'skip', entry: 'public.orders' },
    { argument: 'skip', entry: 'sales' },
    ...misspelled.map((entry) => ({ argument: 'exclude', entry })),
  ]
  const sorted = (entries: object[]) =>
    entries.map((entry) => JSON.stringify(entry, ['argument', 'entry'])).sort()
  t.deepEqual(sorted(run.unmatched_entries), sorted(expected))
  t.like(notices, { length: 1, 0: { severity: 'NOTICE' } })
  for (const { entry } of expected) t.true(notices[0]?.detail?.includes(JSON.stringify(entry)), entry)
  t.true(notices[0]?.hint?.includes('nms.preview_run()'))
})

test('an entry that names a view, a materialized view or what is left out anyway is not reported', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.orders (id int);
    create view public.recent as table public.orders;
    create materialized view public.old as table public.orders;
    create foreign data wrapper nowhere;
    create server nowhere foreign data wrapper nowhere;
    create foreign table public.elsewhere (id int) server nowhere;
    create schema empty;
  `)
  const { sql, notices } = listen(db)

  const run = await collect(sql, {
    skip: ['empty', 'nms'],
    exclude: ['public.recent', '"public"."old"', 'public.elsewhere', 'nms.table_metrics_runs'],
  })

  t.deepEqual(run.unmatched_entries, [])
  t.deepEqual(notices, [])
  t.deepEqual(await rowCounts(sql, run), { 'public.orders': 0 })
})

// The documented rules, stated apart from the code: arrays of non-empty strings; in exclude, each
// with something on both sides of a dot, and not a single quoted name.
const isOneQuotedName = (entry: string) =>
  entry.length > 1 &&
  entry.startsWith('"') &&
  entry.endsWith('"') &&
  !entry.slice(1, -1).replaceAll('""', '').includes('"')
const namesATable = (entry: string) => entry.slice(1, -1).includes('.') && !isOneQuotedName(entry)
const isWellFormed = (argument: unknown, accepts: (entry: string) => boolean) =>
  Array.isArray(argument) && argument.every((entry) => typeof entry === 'string' && accepts(entry))
const isWellFormedSkip = (skip: unknown) => isWellFormed(skip, (entry) => entry !== '')
const isWellFormedExclude = (exclude: unknown) => isWellFormed(exclude, namesATable)

// jsonb itself refuses U+0000 and lone surrogates.
const storable = (value: unknown) => !/(?<!\\)(\\\\)*\\u(0000|d[89a-f])/i.test(JSON.stringify(value))
const anyJson = fc.jsonValue({ stringUnit: 'binary' }).filter(storable)
const identifierLike = fc.oneof(
  fc.constantFrom('public.orders', '"public"."orders"', 'Sales.Orders', 'public', '"public"', 'nowhere.none'),
  fc.string({
    unit: fc.constantFrom('a', 'b', '.', '.', '"', '"', ' ', "'", '\\', '%', '$', '\n', 'Ä', '😀'),
    maxLength: 9,
  }),
  fc
    .array(fc.string({ unit: 'binary', maxLength: 5 }), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.map((part) => `"${part.replaceAll('"', '""')}"`).join('.')),
)
const identifiers = fc.array(identifierLike, { maxLength: 4 }).filter(storable)
const request = fc.record({
  skip: fc.oneof(anyJson, fc.array(anyJson, { maxLength: 3 }), identifiers),
  exclude: fc.oneof(anyJson, identifiers, identifiers),
})
const examples: [{ skip: unknown; exclude: unknown }][] = [
  [{ skip: [], exclude: [] }],
  [{ skip: null, exclude: [] }],
  [{ skip: [], exclude: ['"a.b"', 'a.b'] }],
  [{ skip: ['\\u0000'], exclude: ['..."'] }],
  [{ skip: ["'; drop schema nms cascade; --"], exclude: ["public.orders'; drop schema nms cascade; --"] }],
]

for (const [name, call] of Object.entries(calls)) {
  test(`${name} raises nothing for arbitrary JSON, and its run has FAILED exactly where the request is malformed`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql.unsafe(shop)
    let last = '0'
    let failed = 0
    let accepted = 0

    await fc.assert(
      fc.asyncProperty(request, async ({ skip, exclude }) => {
        const run = await call(sql, JSON.stringify(skip), JSON.stringify(exclude))

        const headers = await sql<
          Run[]
        >`select * from nms.table_metrics_runs where run_id > ${last} order by run_id`
        const [header] = headers
        if (headers.length !== 1 || header?.run_id !== run.run_id)
          throw new Error(`${headers.length} new headers`)
        last = run.run_id
        const wellFormed = isWellFormedSkip(skip) && isWellFormedExclude(exclude)
        const expected = !wellFormed ? 'FAILED' : name === 'open_run' ? 'RUNNING' : 'SUCCEEDED'
        if (header.status !== expected) throw new Error(`${header.status}, expected ${expected}`)
        wellFormed ? accepted++ : failed++
        if ([...(header.error_message ?? '')].length > 2000) throw new Error('message too long')
        const message = header.error_message ?? ''
        if (!isWellFormedSkip(skip) && !message.includes('skip: saw ')) throw new Error(message)
        if (isWellFormedSkip(skip) && message.startsWith('skip: saw ')) throw new Error(message)
        if (!isWellFormedExclude(exclude) && isWellFormedSkip(skip) && !message.startsWith('exclude: saw ')) {
          throw new Error(message)
        }
      }),
      { numRuns: 150, examples },
    )

    t.true(
      failed > 10 && accepted > 10,
      `both sides were tried: ${failed} malformed, ${accepted} well-formed`,
    )
  })
}

test('exclude leaves out exactly the tables that an arbitrary string spells', async (t) => {
  const { sql } = await createDatabase(t)
  const quote = (name: string) => `"${name.replaceAll('"', '""')}"`
  const names = ['a', '"', '.', 'a.a', '"a"', 'a"a', '""', '"."']
  const pairs = names.flatMap((schema) => names.map((table) => ({ schema, table })))
  await sql.unsafe(
    [
      ...names.map((schema) => `create schema ${quote(schema)}`),
      ...pairs.map(({ schema, table }) => `create table ${quote(schema)}.${quote(table)} ()`),
    ].join(';'),
  )
  const answersTo = ({ schema, table }: { schema: string; table: string }, entry: string) =>
    [schema, quote(schema)].some((left) =>
      [table, quote(table)].some((right) => entry === `${left}.${right}`),
    )
  const spelling = fc
    .tuple(fc.constantFrom(...pairs), fc.boolean(), fc.boolean())
    .map(
      ([{ schema, table }, left, right]) =>
        `${left ? quote(schema) : schema}.${right ? quote(table) : table}`,
    )
  const random = fc.string({ unit: fc.constantFrom('a', '"', '.'), minLength: 3, maxLength: 8 })
  let excluded = 0

  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(spelling, random).filter(namesATable), { maxLength: 3 }),
      async (exclude) => {
        const run = await collect(sql, { exclude })

        const left = await sql<{ schema: string; table: string }[]>`
        select schema_name as schema, table_name as table
        from nms.table_metrics_measurements where run_id = ${run.run_id}
      `
        const expected = pairs.filter((pair) => !exclude.some((entry) => answersTo(pair, entry)))
        excluded += pairs.length - expected.length
        const sorted = (rows: { schema: string; table: string }[]) =>
          JSON.stringify(rows.map(({ schema, table }) => [schema, table]).sort())
        if (sorted([...left]) !== sorted(expected)) throw new Error(sorted([...left]))
        const unmatched = exclude.filter((entry) => !pairs.some((pair) => answersTo(pair, entry)))
        const reported = run.unmatched_entries.map(({ entry }) => entry)
        if (JSON.stringify([...new Set(unmatched)].sort()) !== JSON.stringify(reported.sort())) {
          throw new Error(`reported ${reported}`)
        }
      },
    ),
    { numRuns: 150 },
  )

  t.true(excluded > 50)
})

test('100,000 entries are taken, one more is a FAILED run that says so', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(
    'create schema "a.b"; create table "a.b"."c""d" (id int); create table public.kept (id int)',
  )
  const entries = ['a.b.c"d', '"a.b"."c""d"', ...Array.from({ length: 99_998 }, (_, n) => `public.none_${n}`)]

  const taken = await collect(sql, { exclude: entries })
  const refused = [
    await collect(sql, { exclude: [...entries, 'public.kept'] }),
    await collect(sql, { skip: [...entries, 'public.kept'] }),
  ]

  t.is(taken.status, 'SUCCEEDED')
  t.deepEqual(await rowCounts(sql, taken), { 'public.kept': 0 })
  t.is(taken.unmatched_entries.length, 99_998)
  t.deepEqual(
    refused.map(({ status, error_message }) => [status, error_message]),
    [
      ['FAILED', 'exclude: saw 100001 entries, expected at most 100000'],
      ['FAILED', 'skip: saw 100001 entries, expected at most 100000'],
    ],
  )
})
