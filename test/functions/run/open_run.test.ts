import test from 'ava'
import { createDatabase, type Run, rowCounts, type Sql } from '../../_support/database.ts'

async function open(sql: Sql, { skip = [], exclude = [] }: { skip?: string[]; exclude?: string[] } = {}) {
  const [{ run_id }] = await sql<[{ run_id: string }]>`
    select nms.open_run(skip => ${sql.json(skip)}, exclude => ${sql.json(exclude)}) as run_id
  `
  return header(sql, run_id)
}

async function header(sql: Sql, run_id: string): Promise<Run> {
  const [run] = await sql<[Run]>`select * from nms.table_metrics_runs where run_id = ${run_id}`
  return run
}

const backdate = (sql: Sql, run: Run, age: string) =>
  sql`update nms.table_metrics_runs set collected_at = now() - ${age}::text::interval where run_id = ${run.run_id}`

test('it leaves a RUNNING header with the request, and counts nothing', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`create table public.orders (id int)`
  const before = Date.now()

  const run = await open(sql, { skip: ['tmp'], exclude: ['public.orders', 'public.none'] })

  t.like(run, {
    status: 'RUNNING',
    error_message: null,
    finished_at: null,
    target_count: null,
    scheduled_for: null,
    requested_by: 'postgres',
    skip_schemas: ['tmp'],
    exclude_tables: ['public.orders', 'public.none'],
    unmatched_entries: [
      { argument: 'skip', entry: 'tmp' },
      { argument: 'exclude', entry: 'public.none' },
    ],
  })
  t.true(Math.abs(run.collected_at.getTime() - before) < 3_600_000)
  t.is((await sql`select from nms.table_metrics_measurements`).length, 0)
})

test('both arguments may be left out', async (t) => {
  const { sql } = await createDatabase(t)

  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`

  t.like(await header(sql, run_id), {
    status: 'RUNNING',
    skip_schemas: [],
    exclude_tables: [],
    unmatched_entries: [],
  })
})

test('each run has a higher run_id than the ones before it', async (t) => {
  const { sql } = await createDatabase(t)

  const runs = [await open(sql), await open(sql, { skip: ['tmp'] }), await open(sql)]

  const ids = runs.map(({ run_id }) => BigInt(run_id))
  t.true((ids[0] as bigint) < (ids[1] as bigint) && (ids[1] as bigint) < (ids[2] as bigint))
})

test('the header names the role that is logged in, not the owner of the functions', async (t) => {
  const { sql, createRole } = await createDatabase(t)
  const role = await createRole()
  await sql.unsafe(`
    grant usage on schema nms, nms_private to ${role.name};
    grant execute on function nms.open_run(jsonb, jsonb) to ${role.name};
  `)

  const [{ run_id }] = await role.connect()<[{ run_id: string }]>`select nms.open_run() as run_id`

  t.is((await header(sql, run_id)).requested_by, role.name)
})

test('a run that was opened is collected with the request that it was opened with', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.orders (id int);
    create table public.kept (id int);
    create schema tmp;
    create table tmp.scratch (id int);
    insert into public.kept select generate_series(1, 3);
  `)

  // Neither of the given arguments says anything else, in any of these spellings.
  for (const [skip, exclude] of [
    ['[]', '[]'],
    [null, null],
    ['["tmp"]', '["public.orders"]'],
    ['[ "tmp" ]', null],
  ] as const) {
    const opened = await open(sql, { skip: ['tmp'], exclude: ['public.orders'] })

    const [run] = await sql<[Run]>`
      select * from nms.collect_table_metrics(
        skip => ${skip}::text::jsonb, exclude => ${exclude}::text::jsonb, run_id => ${opened.run_id}
      )
    `

    t.like(run, { run_id: opened.run_id, status: 'SUCCEEDED', target_count: '1' })
    t.deepEqual(run.collected_at, opened.collected_at)
    t.deepEqual(await rowCounts(sql, run), { 'public.kept': 3 })
  }
})

test('a run that nobody works on is marked FAILED once it has been silent for abandon_after', async (t) => {
  const { sql } = await createDatabase(t)
  const lost = await open(sql)
  await backdate(sql, lost, '301 s')

  const next = await open(sql)

  const run = await header(sql, lost.run_id)
  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', /^abandoned: .*00:05:00/)
  t.not(run.finished_at, null)
  t.is(next.status, 'RUNNING')
})

test('a run that has been silent for less than abandon_after is left alone', async (t) => {
  const { sql } = await createDatabase(t)
  const young = await open(sql)
  await backdate(sql, young, '240 s')

  await open(sql)

  t.is((await header(sql, young.run_id)).status, 'RUNNING')
})

test('a measurement is a sign of life', async (t) => {
  const { sql } = await createDatabase(t)
  const [slow, lost] = [await open(sql), await open(sql)]
  await sql`
    insert into nms.table_metrics_measurements (
      run_id, schema_name, table_name, row_count, own_row_count, measured_at, table_kind, is_partition, table_oid
    )
    select run_id, 'public', name, 1, 1, now() - age, 'table', false, 1
    from (
      values
        (${slow.run_id}::bigint, 'first', interval '50 min'),
        (${slow.run_id}, 'second', interval '1 min'),
        (${lost.run_id}, 'first', interval '50 min'),
        (${lost.run_id}, 'second', interval '6 min')
    ) as measured (run_id, name, age)
  `
  await backdate(sql, slow, '1 hour')
  await backdate(sql, lost, '1 hour')

  await open(sql)

  t.is((await header(sql, slow.run_id)).status, 'RUNNING')
  t.is((await header(sql, lost.run_id)).status, 'FAILED')
})

test('a silent run that a session works on is left alone, and ends well', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql`create table public.orders (id int)`
  const slow = await open(sql)
  await backdate(sql, slow, '1 day')
  const session = connect()
  await session`begin`
  await session`select nms.collect_table_metrics(run_id => ${slow.run_id})`

  await open(sql)

  t.is((await header(sql, slow.run_id)).status, 'RUNNING')
  await session`commit`
  t.is((await header(sql, slow.run_id)).status, 'SUCCEEDED')
})

test('a malformed request marks abandoned runs too', async (t) => {
  const { sql } = await createDatabase(t)
  const lost = await open(sql)
  await backdate(sql, lost, '1 hour')

  await sql`select nms.open_run(skip => '{}')`

  t.is((await header(sql, lost.run_id)).status, 'FAILED')
})

test('no run that has ended is called abandoned', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`update nms.table_metrics_settings set abandon_after = '1 s'`
  await sql`
    insert into nms.table_metrics_runs (collected_at, status, finished_at, target_count, error_message)
    values
      (now() - interval '1 day', 'SUCCEEDED', now() - interval '1 day', 0, null),
      (now() - interval '1 day', 'FAILED', now() - interval '1 day', null, 'out of luck')
  `

  await open(sql)

  const rows = await sql`select status, error_message from nms.table_metrics_runs order by run_id limit 2`
  t.deepEqual(
    rows.map((row) => ({ ...row })),
    [
      { status: 'SUCCEEDED', error_message: null },
      { status: 'FAILED', error_message: 'out of luck' },
    ],
  )
})
