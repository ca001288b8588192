import test from 'ava'
import { slackBody } from '../../src/deliver/slack.ts'
import { createDatabase, type Sql } from '../_support/database.ts'
import { type PastRun, writeRuns } from '../_support/history.ts'

/** Monday, 2 March 2026, at 07:00 UTC: two in the morning by the business clock. */
const slot = '2026-03-02T07:00:00Z'

const writeDigest = async (sql: Sql) => {
  const [{ about }] = await sql<[{ about: string }]>`select nms_private.write_digest(${slot}) as about`
  return about
}
const bodiesOf = async (sql: Sql) =>
  (
    await sql<{ body: string }[]>`select body::text as body from nms_private.messages order by written_at`
  ).map(({ body }) => body)

/** Orders grow by ten a day, lines shrink by one; nothing on Wednesday, and two failures on Friday. */
const week: PastRun[] = [0, 1, 2, 3, 4, 5, 6, 7]
  .filter((day) => day !== 2)
  .flatMap((day): PastRun[] => [
    ...(day === 4
      ? ['lost its way', 'out of memory'].map(
          (error): PastRun => ({ day, at: '00:10', status: 'FAILED', error }),
        )
      : []),
    {
      day,
      at: '00:15',
      counts: {
        'sales.orders': 1000 + 10 * day,
        'sales.lines': 100 - day,
        ...(day === 7 && { 'sales.returns': 3 }),
      },
    },
  ])

test('a digest has the seven days up to that of its slot, once', async (t) => {
  const { sql } = await createDatabase(t)
  await writeRuns(sql, week, '2026-02-23')
  await sql`select nms.rebuild_run_snapshot(run_id) from nms.table_metrics_runs where status = 'SUCCEEDED' order by run_id`
  await sql`select nms.rebuild_daily_snapshot(snapshot_date) from nms.table_metrics_runs where status = 'SUCCEEDED'`

  t.is(await writeDigest(sql), 'digest 2026-03-02')
  t.is(await writeDigest(sql), 'digest 2026-03-02')

  const [body = '', ...others] = await bodiesOf(sql)
  t.deepEqual(others, [])
  const { type, timestamp, data } = JSON.parse(body)
  t.is(type, 'digest.weekly')
  t.is(Date.parse(timestamp), Date.parse(slot))
  t.like(data, { since: '2026-02-23', until: '2026-03-02', change: 1073 + 3 - 1100 + 90 })
  t.true(body.length < 10_000)
  const lines = JSON.parse(slackBody(body)).text.split('\n')
  t.regex(lines[0], /^\*test_\w+: the seven days up to 2026-03-02\*$/)
  t.deepEqual(lines.slice(1), [
    'days: 6 of 7 have a result, none of 2026-02-25',
    'runs: 6 SUCCEEDED, 2 FAILED, the last one because: out of memory',
    'rows: 1,166 in 3 tables, +66 (+6.0 %) since 2026-02-23',
    'grew most: sales.orders +70 (+7.0 %)',
    'shrank most: sales.lines -7 (-7.0 %)',
    'new: sales.returns',
    'alerts: 0 opened, 0 closed, 0 open',
    'This is of 2026-03-02 07:00 UTC.',
  ])
})

test('a week without any result is told as well', async (t) => {
  const { sql } = await createDatabase(t)

  await writeDigest(sql)

  const [body = ''] = await bodiesOf(sql)
  const text = JSON.parse(slackBody(body)).text
  t.regex(text, /days: 0 of 0 have a result\nruns: 0 SUCCEEDED, 0 FAILED\nalerts: 0 opened/)
})

test('a digest waits to be sent like any message', async (t) => {
  const { sql } = await createDatabase(t)
  await writeDigest(sql)

  const waiting = await sql<{ about: string }[]>`select nms_private.write_messages() as about`

  t.deepEqual([...waiting], [{ about: 'digest 2026-03-02' }])
})
