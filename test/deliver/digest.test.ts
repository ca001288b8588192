import test from 'ava'
import { slackBody } from '../../src/deliver/slack.ts'
import { createDatabase, type Sql } from '../_support/database.ts'
import { type PastRun, writeRuns } from '../_support/history.ts'

const day = 86_400_000
/** The last Monday that was at 07:00 UTC an hour ago at least: two or three in the morning by the business clock. */
const slot = (() => {
  const anHourAgo = Date.now() - 3_600_000
  const mondays = 4 * day + 7 * 3_600_000 // after 1 January 1970, a Thursday
  return new Date(anHourAgo - ((anHourAgo - mondays) % (7 * day)))
})()
const dayOf = (days: number) => new Date(slot.getTime() + days * day).toISOString().slice(0, 10)
const monday = dayOf(0)

const writeDigest = async (sql: Sql, given: string | Date = slot) => {
  const at = typeof given === 'string' ? given : given.toISOString()
  const [{ about }] = await sql<
    [{ about: string }]
  >`select nms_private.write_digest(${at}::text::timestamptz) as about`
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
  await writeRuns(sql, week, dayOf(-7))
  await sql`select nms.rebuild_run_snapshot(run_id) from nms.table_metrics_runs where status = 'SUCCEEDED' order by run_id`
  await sql`select nms.rebuild_daily_snapshot(snapshot_date) from nms.table_metrics_runs where status = 'SUCCEEDED'`

  t.is(await writeDigest(sql), `digest ${monday}`)
  t.is(await writeDigest(sql), `digest ${monday}`)

  const [body = '', ...others] = await bodiesOf(sql)
  t.deepEqual(others, [])
  const { type, timestamp, data } = JSON.parse(body)
  t.is(type, 'digest.weekly')
  t.is(Date.parse(timestamp), slot.getTime())
  t.like(data, { since: dayOf(-7), until: monday, change: 1073 + 3 - 1100 + 90 })
  t.true(body.length < 10_000)
  const lines = JSON.parse(slackBody(body)).text.split('\n')
  t.regex(lines[0], new RegExp(`^\\*test_\\w+: the seven days up to ${monday}\\*$`))
  t.deepEqual(lines.slice(1), [
    `days: 6 of 7 have a result, none of ${dayOf(-5)}`,
    'runs: 6 SUCCEEDED, 2 FAILED, the last one because: out of memory',
    `rows: 1,166 in 3 tables, +66 (+6.0 %) since ${dayOf(-7)}`,
    'grew most: sales.orders +70 (+7.0 %)',
    'shrank most: sales.lines -7 (-7.0 %)',
    'new: sales.returns',
    'alerts: 0 opened, 0 closed, 0 open',
    `This is of ${monday} 07:00 UTC.`,
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

  t.deepEqual([...waiting], [{ about: `digest ${monday}` }])
})

test('a slot of long ago or of the future has no digest, and a week has one', async (t) => {
  const { sql } = await createDatabase(t)
  const hour = day / 24
  const refused = [
    '2000-01-01',
    '-infinity',
    'infinity',
    new Date(Date.now() - 8 * day - hour),
    new Date(Date.now() + 2 * hour),
  ]
  for (const at of refused) {
    await t.throwsAsync(writeDigest(sql, at), {
      code: '22023',
      message: /^slot .+ of a weekly digest: expected one of the last eight days$/,
    })
  }

  // Every slot there is: they lie in two weeks, or in three.
  for (let hours = 0; hours < 8 * 24; hours += 1) await writeDigest(sql, new Date(Date.now() - hours * hour))

  const written = (await bodiesOf(sql)).length
  t.true(written >= 2 && written <= 3, `${written}`)
})

test('the slots of a schedule each have a digest, also where they are on Sunday by the business clock', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`update nms.table_metrics_settings set business_time_zone = 'Pacific/Honolulu'`

  t.is(await writeDigest(sql), `digest ${monday}`)

  const [body = ''] = await bodiesOf(sql)
  t.is(JSON.parse(body).data.until, dayOf(-1))
})
