import test from 'ava'
import { createDatabase } from '../../_support/database.ts'

const ours = ['collect_table_metrics', 'prune_table_metrics']

test('a name a letter away from one of ours is misspelt, and so is one that speaks of table metrics', async (t) => {
  const { sql } = await createDatabase(t)
  const isMisspelt = async (name: string) => {
    const [row] = await sql<[{ is: boolean }]>`select nms_private.is_misspelt(${name}, ${ours}) as is`
    return row.is
  }

  for (const name of [
    'collect_table_metric',
    'ollect_table_metrics',
    'collect_tabel_metrics',
    'colllect_table_metrics',
    'collect_tablemetrics',
    'collect-table-metrics',
    'collectTableMetrics',
    'COLLECT_TABLE_METRICS',
    'prune_table_metrics ',
    'prune_tuble_metrics',
    'table_metrics',
  ]) {
    t.true(await isMisspelt(name), name)
  }
  for (const name of [
    ...ours,
    'collect',
    'send_mail',
    'prune_tables',
    'collect_payments',
    '',
    'x'.repeat(5000),
  ]) {
    t.false(await isMisspelt(name), name)
  }
})
