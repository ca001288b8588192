import test from 'ava'
import { createDatabase } from '../_support/database.ts'
import { counts, maintained } from '../_support/maintained.ts'
import { tableMetrics } from '../_support/process.ts'

test('a worker folds what triggers have noted, and counts nothing for that', async (t) => {
  const db = await createDatabase(t)
  await maintained(db.sql, 'public.orders', 10)
  await db.sql`insert into public.orders values (0)`
  await db.sql`create table public.later (id bigint)`
  await db.sql`select nms.maintain_count('public.later')`

  const { status, stderr } = await tableMetrics(t, db.url, [
    'worker',
    '--once',
    '--crontab',
    'test/empty_crontab',
  ])

  t.is(status, 0, stderr)
  const [left] = await db.sql`select count(*) as deltas from nms_private.count_deltas`
  t.is(left?.deltas, '0')
  t.deepEqual(await counts(db.sql, 'public.orders'), [11, 11, ''])
  await t.throwsAsync(db.sql`select nms.current_count('public.later')`, { code: '55000' })
})
