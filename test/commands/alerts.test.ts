import ava from 'ava'
import { collect, createDatabase } from '../_database.ts'
import { failsClearly, tableMetrics } from '../_process.ts'

// Each starts processes of its own.
const test = ava.serial

test('an install from before there were alerts is told to update; status goes without them', async (t) => {
  const db = await createDatabase(t)
  await collect(db.sql)
  await db.sql`alter table if exists nms.table_metrics_alerts rename to former_alerts`

  failsClearly(t, await tableMetrics(t, db.url, ['alerts']), 'table-metrics migrate')
  const { status, stdout } = await tableMetrics(t, db.url, ['status'])

  t.is(status, 0)
  t.notRegex(stdout, /alerts/)
})
