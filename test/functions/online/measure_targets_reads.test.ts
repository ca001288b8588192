// What is read grows with what there is to count, and not with its square, nor with years of history.
import test from 'ava'
import { createDatabase } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'
import { rowsRead } from '../../_support/reads.ts'

test('an online run reads no more for its last tables than for its first', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    do $$ begin for n in 1..1500 loop execute format('create table public.t%s as select 1 as id', n); end loop; end $$
  `)
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  const measure = `select nms.measure_targets(run_id => ${run_id}, budget => '0 s')`
  await sql.unsafe(measure) // finds the tables
  const reads: number[] = []
  while ((await sql`select from nms_private.targets where not is_done`).length > 0) {
    reads.push(await rowsRead(sql, 'nms.table_metrics_measurements', measure))
  }

  t.is((await sql`select from nms.table_metrics_measurements`).length, 1500)
  t.true(Math.max(...reads) < 500, `rows per claim: ${reads}`)
})

test('a claim does not read again what was claimed before it, although somebody may still see that', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    do $$ begin for n in 1..300 loop execute format('create table public.t%s ()', n); end loop; end $$
  `)
  const [{ run_id }] = await db.sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  const measure = `select nms.measure_targets(run_id => ${run_id}, budget => '1 h')`
  await db.sql.unsafe(measure) // finds the tables
  await db.sql.unsafe(`
    insert into nms_private.targets (run_id, round, targets, pages)
    select claim.run_id, claim.round, array[target], 0 from nms_private.targets as claim, unnest(claim.targets) as target;
    delete from nms_private.targets where cardinality(targets) > 1;
  `)
  await db.sql`vacuum nms_private.targets`
  await db.connect().unsafe('begin isolation level repeatable read; select count(*) from nms_private.targets')
  const entriesRead = async () => {
    const [{ read }] = await db.sql<[{ read: number }]>`
      select sum(idx_tup_read)::integer as read from pg_stat_all_indexes where relid = 'nms_private.targets'::regclass
    `
    return read
  }
  const before = await entriesRead()

  const session = db.connect()
  await session.unsafe(measure)
  await session.end() // then it has told what it read

  t.is((await db.sql`select from nms.table_metrics_measurements`).length, 300)
  let read = 0
  await eventually(async () => {
    read = (await entriesRead()) - before
    return read >= 300
  }, 'the server knows what was read')
  t.true(read < 10 * 300, `${read} entries for 300 claims`)
})

test('an online run looks at each table of the catalogue a few times, however many schemas have one of that name', async (t) => {
  const { sql } = await createDatabase(t)
  for (let first = 1; first <= 200; first += 50) {
    await sql.unsafe(`
      do $$ begin
        for n in ${first}..${first + 49} loop
          execute format('create schema s%s', n);
          for m in 1..10 loop execute format('create table s%s.t%s ()', n, m); end loop;
        end loop;
      end $$
    `)
  }
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  const measure = `select nms.measure_targets(run_id => ${run_id}, budget => '1 h')`
  await sql.unsafe(measure) // finds the tables
  await sql`select nms_private.measure_next_target(run_id => ${run_id}, after => 0) from generate_series(1, 30)`
  t.is((await sql`select from nms.table_metrics_measurements`).length, 2000)

  const read = await rowsRead(sql, 'pg_class', measure)

  const [{ relations }] = await sql<
    [{ relations: number }]
  >`select count(*)::integer as relations from pg_class`
  t.true(read < 20 * relations, `${read} rows of ${relations}`)
  const [run] = await sql`select target_count from nms.table_metrics_runs`
  t.is(Number(run?.target_count), 2000)
})
