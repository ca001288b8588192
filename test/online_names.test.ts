import test from 'ava'
import { createDatabase, rowCounts, type Sql, type TestDatabase } from './_support/database.ts'

/** An online run of which everything has been counted but what somebody else has locked. */
async function beginRun({ sql, connect }: TestDatabase, locked: string, exclude: string[] = []) {
  const holder = connect()
  await holder.unsafe(`begin; lock table ${locked} in access exclusive mode`)
  const [{ run_id }] = await sql<[{ run_id: string }]>`
    select nms.open_run(exclude => ${sql.json(exclude)}) as run_id
  `
  await measure(sql, run_id) // finds the tables
  await measure(sql, run_id) // counts those that are free
  return { run_id, holder }
}

async function measure(sql: Sql, runId: string): Promise<boolean> {
  const [step] = await sql<[{ is_finished: boolean }]>`
    select is_finished from nms.measure_targets(run_id => ${runId})
  `
  return step.is_finished
}

async function finish(sql: Sql, runId: string): Promise<Record<string, number | null>> {
  while (!(await measure(sql, runId)));
  const [run] = await sql`select status, error_message from nms.close_run(run_id => ${runId})`
  if (run?.status !== 'SUCCEEDED') throw new Error(run?.error_message)
  return rowCounts(sql, { run_id: runId })
}

const family = `
  create table public.parent (id integer);
  create table public.child () inherits (public.parent);
  create table public.later (id integer);
  insert into public.parent values (1);
  insert into public.child values (2), (3);
  insert into public.later values (4), (5), (6);
`

test('an online run has a table once that was renamed before its family was counted again', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(family)
  const { run_id, holder } = await beginRun(db, 'public.later')
  await holder.unsafe(`
    alter table public.child rename to renamed;
    alter table public.later inherit public.parent;
    commit;
  `)

  const counts = await finish(db.sql, run_id)

  t.is(counts['public.parent'], 6)
  const names = await db.sql<{ names: string[] }[]>`
    select array_agg(table_name order by table_name) as names
    from nms.table_metrics_measurements
    where run_id = ${run_id}
    group by table_oid
    having count(*) > 1
  `
  t.deepEqual([...names], [])
})

test('an online run has no rows twice that left a part which was dropped', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(family)
  const { run_id, holder } = await beginRun(db, 'public.later')
  await holder.unsafe(`
    insert into public.parent select id from only public.child;
    drop table public.child;
    alter table public.later inherit public.parent;
    commit;
  `)

  await finish(db.sql, run_id)

  const [{ rows }] = await db.sql<[{ rows: string }]>`
    select sum(own_row_count) as rows from nms.table_metrics_measurements where run_id = ${run_id}
  `
  t.is(rows, '6')
})

test('an online run has nothing under a name that its request excludes', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.left_out as select 1 as id;
    create table public.counted as select generate_series(1, 2) as id;
  `)
  const { run_id, holder } = await beginRun(db, 'public.counted', ['public.left_out'])
  await holder.unsafe(`
    alter table public.left_out rename to former;
    alter table public.counted rename to left_out;
    commit;
  `)

  const counts = await finish(db.sql, run_id)

  t.deepEqual(counts, { 'public.former': 1 })
})
