import test from 'ava'
import { collect, createDatabase } from '../../_support/database.ts'
import { addFilter, filteredCounts } from '../../_support/filters.ts'

test('a table with filters is neither carried nor taken from its triggers; of an estimate no filter is counted', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.calm as select id, id % 2 = 0 as is_even from generate_series(1, 10) as id;
    create table public.kept as table public.calm;
    create table public.large as
    select id, id % 2 = 0 as is_even, repeat('x', 1000) as filler from generate_series(1, 9000) as id;
    analyze public.large;
    insert into nms.table_metrics_count_rules (schema_name, table_name, method, shadow)
    values ('public', 'calm', 'carried', '0'), ('public', 'large', 'estimate', '0');
    select nms.maintain_count('public.kept');
  `)
  for (const table of ['calm', 'kept', 'large']) {
    await addFilter(sql, `public.${table}`, 'even', { column: 'is_even', is: 'true' })
  }
  const first = await collect(sql)
  await sql`update public.calm set is_even = true`
  await sql`update public.kept set is_even = false`

  const second = await collect(sql)

  t.is(second.status, 'SUCCEEDED', second.error_message ?? '')
  t.deepEqual(
    [
      ...(await sql`select table_name, method from nms.table_metrics_measurements where run_id = ${second.run_id} order by 1`),
    ],
    [
      { table_name: 'calm', method: 'exact' },
      { table_name: 'kept', method: 'exact' },
      { table_name: 'large', method: 'estimate' },
    ],
  )
  const expected = { 'public.calm even': 5, 'public.kept even': 5, 'public.large even': '0A000' }
  t.deepEqual(await filteredCounts(sql, first), expected)
  t.deepEqual(await filteredCounts(sql, second), {
    ...expected,
    'public.calm even': 10,
    'public.kept even': 0,
  })
})
