import ava from 'ava'
import { createDatabase } from '../_support/database.ts'
import { installJobs, parseEvents, untilEvent } from '../_support/jobs.ts'
import { tableMetrics } from '../_support/process.ts'
import { startWorker } from '../_support/worker.ts'

// Each starts processes of its own.
const test = ava.serial

test('worker --once with nothing due says when the schedule has something to do next', async (t) => {
  const db = await createDatabase(t)
  const clock = new Date('2026-11-20T04:00:00Z')
  const crontab = [
    '15 5 * * * collect_table_metrics ?id=daily',
    '30 4 * * 0 prune_table_metrics ?id=weekly {keepRuns: "90 days"}',
  ].join('\n')
  const worker = await startWorker(t, db, { crontab, clock, args: ['--once'] })

  const { status, stdout, stderr } = await worker.finished

  t.is(status, 0, stderr)
  const events = parseEvents(stdout)
  t.is(events.length, 1, stdout)
  t.like(events[0], { event: 'nothing_due', next: '2026-11-20T05:15:00.000Z', schedule: 'daily' })
})

test('the next time of a local time is that of the business time zone, at the next look', async (t) => {
  const db = await createDatabase(t)
  await db.sql`update nms.table_metrics_settings set business_time_zone = 'Asia/Kolkata'` // 5 h 30 min ahead
  const crontab = '*/20 * * * * collect_table_metrics ?id=local {localTime: "05:15"}'
  const worker = await startWorker(t, db, {
    crontab,
    clock: new Date('2026-11-20T04:05:00Z'),
    args: ['--once'],
  })

  const { stdout } = await worker.finished

  t.like(parseEvents(stdout)[0], {
    event: 'nothing_due',
    next: '2026-11-21T00:00:00.000Z',
    schedule: 'local',
  })
})

test('an empty schedule has no next time', async (t) => {
  const db = await createDatabase(t)
  const worker = await startWorker(t, db, { args: ['--once'] })

  const { status, stdout } = await worker.finished

  t.is(status, 0)
  const { event, ...rest } = parseEvents(stdout)[0] ?? {}
  t.is(event, 'nothing_due')
  t.false('next' in rest)
})

test('jobs of a task that nobody has are named once by a worker and by doctor, and those of others are not', async (t) => {
  const db = await createDatabase(t)
  await installJobs(db.url)
  await db.sql`
    select
      graphile_worker.add_job('collect_table_metric'),
      graphile_worker.add_job('collect_table_metric'),
      graphile_worker.add_job('send_mail')
  `

  const worker = await startWorker(t, db)
  await untilEvent(worker, 'misspelt_task')
  worker.kill('SIGTERM')
  const { stdout } = await worker.finished
  const doctor = await tableMetrics(t, db.url, ['doctor', '--json'])

  const named = parseEvents(stdout).filter(({ event }) => event === 'misspelt_task')
  t.is(named.length, 1)
  t.like(named[0], { task: 'collect_table_metric', jobs: 2 })
  const problems: { problem: string; subject: string; remedy: string }[] = JSON.parse(doctor.stdout)
  const [problem, ...others] = problems.filter(({ problem }) => problem === 'misspelt_task')
  t.is(problem?.subject, 'collect_table_metric')
  t.deepEqual(others, [])
  await db.sql.unsafe(problem?.remedy.replace(/;.*/, '') ?? '')
  const left = await db.sql`select task_identifier from graphile_worker.jobs`
  t.deepEqual([...left], [{ task_identifier: 'send_mail' }])
})
