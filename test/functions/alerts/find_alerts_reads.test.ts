// What is read grows with what there is to count, and not with its square, nor with years of history.

import test from 'ava'
import { createDatabase } from '../../_support/database.ts'
import { writeRuns } from '../../_support/history.ts'
import { rowsRead } from '../../_support/reads.ts'

test('alerts read the results that they compare, however many others there are', async (t) => {
  const { sql } = await createDatabase(t)
  const counts = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`public.t${n}`, 100 + n]))
  const last = await writeRuns(
    sql,
    Array.from({ length: 60 }, (_, n) => ({ day: n, counts })),
  )
  await sql`analyze nms.table_metrics_measurements`

  const read = await rowsRead(
    sql,
    'nms.table_metrics_measurements',
    `select nms.find_alerts(run_id => ${last})`,
  )

  // The run itself and seven days before it, each a few times.
  t.true(read < 30 * 50, `${read} of ${60 * 50} rows`)
})
