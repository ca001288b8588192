import test from 'ava'
import { collect, createDatabase, rowCounts } from '../../_support/database.ts'
import { counts, maintained, methods } from '../../_support/maintained.ts'

test('a recount that refutes is a difference, and begins anew', async (t) => {
  const { sql } = await createDatabase(t)
  await maintained(sql, 'public.orders', 100)
  await sql`update nms_private.maintained_counts set row_count = row_count + 3, runs_since_count = 13`
  const run = await collect(sql)
  t.is(run.error_message, null)
  t.deepEqual(await rowCounts(sql, run), { 'public.orders': 100 })
  const found =
    await sql`select method, claimed_row_count, row_count, detail from nms.table_metrics_differences`
  t.is(found.length, 1)
  t.deepEqual(await counts(sql, 'public.orders'), [100, 100, ''])
  t.deepEqual(await methods(sql, await collect(sql)), { 'public.orders': 'maintained' })
  const compared = await sql`select method, comparisons, differences from nms.table_metrics_comparisons`
  t.deepEqual([...compared], [{ method: 'maintained', comparisons: '1', differences: '1' }])
})
