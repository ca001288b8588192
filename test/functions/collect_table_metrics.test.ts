import test from 'ava'
import { collect, createDatabase, rowCounts } from '../_database.ts'

test('every table is counted, an empty one as zero', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.orders (id int primary key);
    insert into public.orders select generate_series(1, 7);
    create table public.returns (id int primary key);
  `)

  const run = await collect(sql)

  t.is(run.status, 'SUCCEEDED')
  t.is(run.target_count, '2')
  t.deepEqual(await rowCounts(sql, run), { 'public.orders': 7, 'public.returns': 0 })
})
