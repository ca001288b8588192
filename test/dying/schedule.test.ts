import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { createDatabase, type TestDatabase } from '../_support/database.ts'
import { jobs, parseEvents, untilJobsAreDone } from '../_support/jobs.ts'
import { type Finished, run, tableMetrics } from '../_support/process.ts'
import { runs, startWorker, type WorkerOptions } from '../_support/worker.ts'

const once = async (
  t: Parameters<typeof startWorker>[0],
  db: TestDatabase,
  options?: WorkerOptions,
): Promise<Finished> => (await startWorker(t, db, { ...options, args: ['--once'] })).finished

test('once, on a fresh database, installs what it needs, finds nothing due, and stops', async (t) => {
  const db = await createDatabase(t)

  const { status, stderr } = await tableMetrics(t, db.url, ['worker', '--once'])

  t.is(status, 0, stderr)
  t.deepEqual(await jobs(db), [])
  t.deepEqual(await runs(db), [])
  const known = await db.sql`select identifier from graphile_worker._private_known_crontabs`
  t.deepEqual([...known], [{ identifier: 'daily' }])
})

test('once runs every job that is due, says which failed, and leaves those that are not due', async (t) => {
  const db = await createDatabase(t)
  await once(t, db)
  await db.sql`create table public.orders as select 1`
  await db.sql`
    select
      graphile_worker.add_job('collect_table_metrics'),
      graphile_worker.add_job('collect_table_metrics', '{"nope": 1}'),
      graphile_worker.add_job('collect_table_metrics', '{"online": true}'),
      graphile_worker.add_job('collect_table_metrics', run_at => now() + interval '1 day')
  `

  const { status, stdout, stderr } = await once(t, db)

  t.is(status, 1, stderr)
  t.deepEqual((await runs(db)).map((run) => run.status).sort(), ['FAILED', 'SUCCEEDED', 'SUCCEEDED'])
  t.deepEqual(
    (await jobs(db)).map(({ attempts, max_attempts, is_locked }) => [attempts, max_attempts, is_locked]),
    [
      [1, 1, false],
      [0, 25, false],
    ],
  )
  t.is(parseEvents(stdout).filter(({ event }) => event === 'job_failed').length, 1)
  t.is((await once(t, db)).status, 0, 'and what failed for good does not fail again')
})

const outages: Record<string, { crontab?: string; away: string }> = {
  'three days, under the default schedule': { away: '73 hours' },
  'three days, all of which are made up for': {
    crontab: '15 5 * * * collect_table_metrics ?id=daily&fill=4d',
    away: '73 hours',
  },
  'a few hours in which a local time passed': {
    crontab: '*/15 * * * * collect_table_metrics ?id=daily&fill=4h {localTime: "05:15"}',
    away: '4 hours',
  },
}

for (const [what, { crontab, away }] of Object.entries(outages)) {
  test(`after an outage of ${what}, a worker collects once, now`, async (t) => {
    const db = await createDatabase(t)
    const start = (args: string[]) =>
      crontab === undefined
        ? tableMetrics(t, db.url, ['worker', '--once', ...args])
        : startWorker(t, db, { crontab, args: ['--once', ...args] }).then(({ finished }) => finished)
    await start([])
    await db.sql.unsafe(`
      create table public.orders as select 1;
      update graphile_worker._private_known_crontabs set known_since = now() - interval '${away}';
    `)

    const { status, stderr } = await start([])

    t.is(status, 0, stderr)
    const [only, ...others] = await runs(db)
    t.deepEqual(others, [])
    t.is(only?.status, 'SUCCEEDED')
    t.truthy(only?.slot, 'it is that of a slot')
    const [{ is_now, is_today }] = await db.sql<[{ is_now: boolean; is_today: boolean }]>`
      select
        collected_at > now() - interval '1 minute' as is_now,
        snapshot_date = nms.business_date() as is_today
      from nms.table_metrics_runs
    `
    t.true(is_now && is_today)
    t.deepEqual(await jobs(db), [], 'every missed slot has been dealt with')
    const [{ is_caught_up }] = await db.sql<[{ is_caught_up: boolean }]>`
      select last_execution > now() - interval '1 day' as is_caught_up
      from graphile_worker._private_known_crontabs
    `
    t.true(is_caught_up)
  })
}

// Written down by hand.
const changes: Record<string, { zone: string; at: string; localTime: string; slots: string[] }> = {
  'spring in Berlin': {
    zone: 'Europe/Berlin',
    at: '2024-03-31T01:00:00Z',
    localTime: '05:15',
    slots: ['2024-03-30T04:15:00Z', '2024-03-31T03:15:00Z', '2024-04-01T03:15:00Z'],
  },
  'autumn in Berlin': {
    zone: 'Europe/Berlin',
    at: '2024-10-27T01:00:00Z',
    localTime: '05:15',
    slots: ['2024-10-26T03:15:00Z', '2024-10-27T04:15:00Z', '2024-10-28T04:15:00Z'],
  },
  'spring in New York': {
    zone: 'America/New_York',
    at: '2024-03-10T07:00:00Z',
    localTime: '05:15',
    slots: ['2024-03-09T10:15:00Z', '2024-03-10T09:15:00Z', '2024-03-11T09:15:00Z'],
  },
  'autumn in New York': {
    zone: 'America/New_York',
    at: '2024-11-03T06:00:00Z',
    localTime: '05:15',
    slots: ['2024-11-02T09:15:00Z', '2024-11-03T10:15:00Z', '2024-11-04T10:15:00Z'],
  },
  'spring in Berlin, at a time that is left out': {
    zone: 'Europe/Berlin',
    at: '2024-03-31T01:00:00Z',
    localTime: '02:30',
    slots: ['2024-03-30T01:30:00Z', '2024-03-31T01:30:00Z', '2024-04-01T00:30:00Z'],
  },
  'autumn in New York, at a time that comes twice': {
    zone: 'America/New_York',
    at: '2024-11-03T06:00:00Z',
    localTime: '01:30',
    slots: ['2024-11-02T05:30:00Z', '2024-11-03T06:30:00Z', '2024-11-04T06:30:00Z'],
  },
}

for (const [what, { zone, at, localTime, slots }] of Object.entries(changes)) {
  test(`a local time has one run a day through the change of clocks in ${what}`, async (t) => {
    const db = await createDatabase(t)
    await once(t, db)
    // Every quarter of an hour around the change and each slot, but none before the first slot. Each slot has a request
    // of its own: a later run with the same one would serve all that lies in the past.
    await db.sql`
      select graphile_worker.add_job(
        'collect_table_metrics',
        json_build_object('localTime', ${localTime}::text, 'exclude', json_build_array(
          'slot.' || (select max(slot) from unnest(${slots}::timestamptz[]) as slot where slot <= tick)
        ), '_cron', json_build_object(
          'ts', to_char(tick at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
          'backfilled', false
        ))
      )
      from (
        select distinct tick
        from unnest(${[...slots, at]}::timestamptz[]) as moment
        cross join generate_series(moment - interval '1 hour', moment + interval '1 hour', interval '15 minutes') as tick
        where tick >= ${slots[0] as string}::timestamptz
      ) as ticks
    `
    await db.sql`update nms.table_metrics_settings set business_time_zone = ${zone}`
    await db.sql`create table public.orders as select 1`

    const { status, stderr } = await once(t, db)

    t.is(status, 0, stderr)
    await untilJobsAreDone(db)
    const served = (await runs(db)).map(({ slot, status }) => `${slot} ${status}`).sort()
    t.deepEqual(
      served,
      slots.map((slot) => `${slot} SUCCEEDED`),
    )
  })
}

test('a malformed crontab of the package breaks nobody who imports it, until its schedule is used', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'malformed-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const project = fileURLToPath(new URL('../..', import.meta.url))
  for (const part of ['src', 'package.json']) {
    await cp(join(project, part), join(folder, part), { recursive: true })
  }
  await symlink(join(project, 'node_modules'), join(folder, 'node_modules'))
  await writeFile(join(folder, 'crontab'), '61 5 * * * collect_table_metrics')
  const program = `
    import { cronItems, tasks } from './src/index.ts'
    console.log(Object.keys(tasks).join())
    for (const use of [() => [...cronItems], () => cronItems.map((item) => item.task), () => cronItems[0]]) {
      try { console.log('used', use()) } catch (error) { console.log(error.message) }
    }
  `

  const { status, stdout, stderr } = await run(t, process.execPath, ['--input-type=module', '-e', program], {
    cwd: folder,
  })

  t.is(status, 0, stderr)
  const [tasks, ...uses] = stdout.trim().split('\n')
  t.is(tasks, 'collect_table_metrics,prune_table_metrics,send_table_metrics_alerts')
  t.is(uses.length, 3)
  for (const use of uses) t.regex(use, /crontab: .*61.*line 1/)
})
