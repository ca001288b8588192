import test from 'ava'
import { createDatabase } from './_database.ts'

test('a run whose only snapshot is older than the end of a table does not succeed without its rows', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql.unsafe(`
    create table public.kept as select generate_series(1, 3) as id;
    create table public.dropped as select generate_series(4, 5) as id;
  `)
  const collector = connect()
  await collector.unsafe('begin isolation level repeatable read; select from pg_class')
  await sql.begin(async (transaction) => {
    await transaction`insert into public.kept select id from public.dropped`
    await transaction`drop table public.dropped`
  })

  const [run] = await collector`select status, error_message from nms.collect_table_metrics()`

  t.is(run?.status, 'FAILED')
  t.regex(run?.error_message, /NM001/)
})
