import test from 'ava'
import { createDatabase, type Run, type Sql, type TestDatabase } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'

interface Job {
  action: 'collect' | 'reject' | 'served' | 'wait'
  run_id: string
  message: string | null
  is_online: boolean | null
  jobs: number | null
  deadline: string | null
  slot: Date | null
}

const openJob = async (sql: Sql, payload: unknown) => {
  const [job] = await sql<[Job]>`
    select action, run_id, message, is_online, jobs, deadline::text, slot
    from nms_private.open_job(payload => ${JSON.stringify(payload)}::text::jsonb)
  `
  return job
}

const runs = async (sql: Sql) => [...(await sql<Run[]>`select * from nms.table_metrics_runs order by run_id`)]

/** What graphile-worker's cron writes into the payload of a slot. */
const at = (ts: string, request: object = {}) => ({ ...request, _cron: { ts, backfilled: false } })

const collectRun = async (sql: Sql, { run_id }: Pick<Job, 'run_id'>) => {
  const [run] = await sql<[Run]>`select * from nms.collect_table_metrics(run_id => ${run_id})`
  return run
}

const failRun = (sql: Sql, { run_id }: Pick<Job, 'run_id'>, reason = 'stopped') =>
  sql`select from nms_private.fail_run(run_id => ${run_id}, reason => ${reason})`

test('each key of a payload is taken as it stands', async (t) => {
  const { sql } = await createDatabase(t)
  const nothing = { action: 'collect', message: null, is_online: false, jobs: 1, deadline: null, slot: null }
  for (const [payload, expected] of [
    [{}, nothing],
    [{ skipSchemas: [], exclude: [] }, nothing],
    [{ online: false }, nothing],
    [{ online: true }, { ...nothing, is_online: true }],
    [
      { online: true, jobs: 1 },
      { ...nothing, is_online: true },
    ],
    [
      { online: true, jobs: 32 },
      { ...nothing, is_online: true, jobs: 32 },
    ],
    [{ deadline: '30m' }, { ...nothing, deadline: '00:30:00' }],
    [{ deadline: '90s' }, { ...nothing, deadline: '00:01:30' }],
    [{ deadline: '2h' }, { ...nothing, deadline: '02:00:00' }],
    [{ deadline: '5 min' }, { ...nothing, deadline: '00:05:00' }],
    [{ deadline: '30min' }, { ...nothing, deadline: '00:30:00' }],
    [{ deadline: '1 hour' }, { ...nothing, deadline: '01:00:00' }],
    // Nothing but a schedule makes a slot.
    [{ localTime: '05:15' }, nothing],
    [at('2024-11-20T05:15:00.000Z'), { ...nothing, slot: new Date('2024-11-20T05:15:00Z') }],
    [{ _cron: { ts: '2024-11-20T05:15:00+05:45' } }, { ...nothing, slot: new Date('2024-11-19T23:30:00Z') }],
    // 00:15 in New York, before and after this day's 05:15.
    [
      at('2024-11-20T05:15:00Z', { localTime: '05:15' }),
      { ...nothing, slot: new Date('2024-11-19T10:15:00Z') },
    ],
    [
      at('2024-11-20T10:15:00Z', { localTime: '05:15' }),
      { ...nothing, slot: new Date('2024-11-20T10:15:00Z') },
    ],
  ] as const) {
    const { run_id, ...job } = await openJob(sql, payload)
    const what = JSON.stringify(payload)
    t.deepEqual(job, expected as Omit<Job, 'run_id'>, what)
    const run = (await runs(sql)).at(-1)
    t.like(run, { run_id, status: 'RUNNING', skip_schemas: [], exclude_tables: [] }, what)
    t.deepEqual(run?.scheduled_for, job.slot, what)
    await sql`delete from nms.table_metrics_runs` // or its slot would be served
  }
})

test('a run has the request of its job', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`create table public.orders as select 1 as id`

  const job = await openJob(sql, { skipSchemas: ['tmp'], exclude: ['public.orders', 'public.typo'] })

  const run = await collectRun(sql, job)
  t.like(run, {
    status: 'SUCCEEDED',
    target_count: '0',
    skip_schemas: ['tmp'],
    exclude_tables: ['public.orders', 'public.typo'],
    unmatched_entries: [
      { argument: 'skip', entry: 'tmp' },
      { argument: 'exclude', entry: 'public.typo' },
    ],
  })
})

test('an SQL null is an empty payload', async (t) => {
  const { sql } = await createDatabase(t)

  const [job] = await sql<[Job]>`select * from nms_private.open_job(payload => null)`

  t.like(job, { action: 'collect', message: null, is_online: false, jobs: 1, slot: null })
  t.like((await runs(sql))[0], { status: 'RUNNING', skip_schemas: [], exclude_tables: [] })
})

// [payload, key, what was seen, what is expected]
const malformed: [payload: unknown, ...words: string[]][] = [
  [null, 'payload: saw null', 'object'],
  [[], 'payload: saw []', 'object'],
  [[{ online: true }], 'payload: saw [{', 'object'],
  [7, 'payload: saw 7', 'object'],
  ['daily', 'payload: saw "daily"', 'object'],
  [true, 'payload: saw true', 'object'],
  [{ skip: ['tmp'] }, 'payload', '"skip"', 'skipSchemas'],
  [{ Online: true }, 'payload', '"Online"', 'online'],
  [{ '': 1 }, 'payload', '""', 'skipSchemas'],
  [{ 'a"b\nc': 1 }, 'payload', '"a\\"b\\nc"', 'skipSchemas'],
  [{ skipSchemas: 'tmp' }, 'skipSchemas: saw "tmp"', 'array'],
  [{ skipSchemas: {} }, 'skipSchemas: saw {}', 'array'],
  [{ skipSchemas: null }, 'skipSchemas: saw null', 'array'],
  [{ skipSchemas: ['tmp', 7] }, 'skipSchemas: saw 7', 'the name of a schema'],
  [{ skipSchemas: [['tmp']] }, 'skipSchemas: saw ["tmp"]', 'the name of a schema'],
  [{ skipSchemas: [null] }, 'skipSchemas: saw null', 'the name of a schema'],
  [{ skipSchemas: [''] }, 'skipSchemas: saw ""', 'the name of a schema'],
  [{ exclude: 'public.orders' }, 'exclude: saw "public.orders"', 'array'],
  [{ exclude: null }, 'exclude: saw null', 'array'],
  [{ exclude: ['orders'] }, 'exclude: saw "orders"', 'schema and table'],
  [{ exclude: [{ table: 'public.orders' }] }, 'exclude: saw {"table": "public.orders"}', 'schema and table'],
  [{ exclude: ['skip: me'] }, 'exclude: saw "skip: me"', 'schema and table'],
  [{ online: 'true' }, 'online: saw "true"', 'true or false'],
  [{ online: 1 }, 'online: saw 1', 'true or false'],
  [{ online: null }, 'online: saw null', 'true or false'],
  [{ online: true, jobs: 0 }, 'jobs: saw 0', '1 to 32'],
  [{ online: true, jobs: -2 }, 'jobs: saw -2', '1 to 32'],
  [{ online: true, jobs: 33 }, 'jobs: saw 33', '1 to 32'],
  [{ online: true, jobs: 1e30 }, 'jobs: saw 1000', '1 to 32'],
  [{ online: true, jobs: 2.5 }, 'jobs: saw 2.5', '1 to 32'],
  [{ online: true, jobs: '2' }, 'jobs: saw "2"', '1 to 32'],
  [{ online: true, jobs: null }, 'jobs: saw null', '1 to 32'],
  [{ online: true, jobs: [2] }, 'jobs: saw [2]', '1 to 32'],
  [{ jobs: 2 }, 'jobs: saw 2', '"online": true'],
  [{ online: false, jobs: 2 }, 'jobs: saw 2', '"online": true'],
  [{ online: 'yes', jobs: 2 }, 'online: saw "yes"', 'jobs: saw 2'],
  [{ deadline: 30 }, 'deadline: saw 30', '30m'],
  [{ deadline: '30' }, 'deadline: saw "30"', '30m'],
  [{ deadline: '0m' }, 'deadline: saw "0m"', '30m'],
  [{ deadline: '-5m' }, 'deadline: saw "-5m"', '30m'],
  [{ deadline: '1h30m' }, 'deadline: saw "1h30m"', '30m'],
  [{ deadline: '30m\n' }, 'deadline: saw "30m\\n"', '30m'],
  [{ deadline: '1 month' }, 'deadline: saw "1 month"', '30m'],
  [{ deadline: 'infinity' }, 'deadline: saw "infinity"', '30m'],
  [{ deadline: null }, 'deadline: saw null', '30m'],
  [{ localTime: '5:15' }, 'localTime: saw "5:15"', '05:15'],
  [{ localTime: '24:00' }, 'localTime: saw "24:00"', '05:15'],
  [{ localTime: '05:60' }, 'localTime: saw "05:60"', '05:15'],
  [{ localTime: '05:15:00' }, 'localTime: saw "05:15:00"', '05:15'],
  [{ localTime: '05:15 UTC' }, 'localTime: saw "05:15 UTC"', '05:15'],
  [{ localTime: 515 }, 'localTime: saw 515', '05:15'],
  [{ localTime: null }, 'localTime: saw null', '05:15'],
  [{ _cron: null }, '_cron: saw null', 'ts'],
  [{ _cron: {} }, '_cron: saw {}', 'ts'],
  [{ _cron: [] }, '_cron: saw []', 'ts'],
  [{ _cron: '2024-11-20T05:15:00Z' }, '_cron: saw "2024-11-20T05:15:00Z"', 'ts'],
  [{ _cron: { ts: null } }, '_cron: saw {"ts": null}', 'ts'],
  [{ _cron: { ts: 1795151700000 } }, '_cron: saw {"ts": 1795151700000}', 'ts'],
  [{ _cron: { ts: 'now' } }, '_cron: saw {"ts": "now"}', 'ts'],
  [{ _cron: { ts: '2024-11-20 05:15' } }, '_cron: saw {"ts": "2024-11-20 05:15"}', 'ts'],
  [{ _cron: { ts: '2024-11-20T05:15:00' } }, '_cron: saw {"ts"', 'ts'],
  [{ _cron: { ts: '2024-13-45T05:15:00Z' } }, '_cron: saw {"ts": "2024-13-45T05:15:00Z"}', 'ts'],
  [{ _cron: { ts: '2023-02-29T05:15:00Z' } }, '_cron: saw {"ts": "2023-02-29T05:15:00Z"}', 'ts'],
  [{ _cron: { ts: '2024-11-20T05:15:00+99:99' } }, '_cron: saw {"ts": "2024-11-20T05:15:00+99:99"}', 'ts'],
  [{ _cron: { ts: '0000-01-01T00:00:00Z' } }, '_cron: saw {"ts": "0000-01-01T00:00:00Z"}', 'ts'],
  [{ _cron: { ts: '9999-12-31T23:59:59Z' } }, '_cron: saw the slot 9999-12-31T23:59:59Z', 'future'],
  [{ _cron: { ts: '9999-12-31T23:59:59Z' }, localTime: '05:15' }, '_cron: saw the slot 9999-', 'future'],
  [{ _cron: { ts: '300000-01-01T00:00:00Z' } }, '_cron: saw {"ts": "300000-', 'ts'],
  [{ _cron: { ts: 'infinity' } }, '_cron: saw {"ts": "infinity"}', 'ts'],
  [{ exclude: Array(100_001).fill('public.a') }, 'exclude: saw 100001 entries', 'at most 100000'],
  [{ skipSchemas: Array(100_001).fill('a') }, 'skipSchemas: saw 100001 entries', 'at most 100000'],
]

test('a malformed payload is rejected: one run, FAILED, whose message has the key, what was seen, what is expected', async (t) => {
  const { sql } = await createDatabase(t)
  const problems: string[] = []
  for (const [payload, ...words] of malformed) {
    const before = (await runs(sql)).length
    const { action, message } = await openJob(sql, payload).catch((error) => ({ action: 'raised', ...error }))
    const left = (await runs(sql)).slice(before)
    const isRight =
      action === 'reject' &&
      left.length === 1 &&
      left[0]?.status === 'FAILED' &&
      left[0].error_message === message &&
      words.every((word) => message.includes(word))
    if (!isRight) problems.push(`${JSON.stringify(payload)}: ${action}, ${message}, ${left.length} runs`)
  }
  t.deepEqual(problems, [])
  t.is((await sql`select from nms.table_metrics_run_snapshot`).length, 0)
})

test('a slot that has not come is not served in advance: it gets its run when it comes', async (t) => {
  const { sql } = await createDatabase(t)
  const [{ soon, tomorrow }] = await sql<[{ soon: string; tomorrow: string }]>`
    select
      to_char(hour at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as soon,
      to_char((hour + interval '1 day') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as tomorrow
    from (select clock_timestamp() + interval '1 hour') as next (hour)
  `
  for (const request of [{}, { localTime: '00:00' }]) {
    for (const ts of [soon, tomorrow]) {
      const { action, run_id } = await openJob(sql, at(ts, request))
      t.is(action, 'reject')
      const run = (await runs(sql)).at(-1)
      t.like(run, { run_id, status: 'FAILED', scheduled_for: null })
      t.true(run?.error_message?.includes(ts), run?.error_message ?? '')
    }
  }
})

test('a slot of the distant past is one like any other', async (t) => {
  const { sql } = await createDatabase(t)
  const job = await openJob(sql, at('0001-01-01T00:00:00Z', { localTime: '00:00' }))

  t.is(job.action, 'collect')
  t.is((await collectRun(sql, job)).status, 'SUCCEEDED')
  t.is((await openJob(sql, at('0001-01-01T00:00:00Z', { localTime: '00:00' }))).action, 'served')
})

test('everything that is wrong with a payload is said at once', async (t) => {
  const { sql } = await createDatabase(t)

  const { message } = await openJob(sql, {
    skip: [],
    online: 'yes',
    deadline: 5,
    exclude: ['orders'],
    skipSchemas: 7,
  })

  for (const word of ['"skip"', 'online: saw', 'deadline: saw', 'exclude: saw', 'skipSchemas: saw'])
    t.true(message?.includes(word), `${word} is not in: ${message}`)
})

test('however long or deep a malformed payload is, its run has a message of at most 2,000 characters', async (t) => {
  const { sql } = await createDatabase(t)
  const long = 'ä'.repeat(1_000_000)
  const deep = JSON.parse(`${'['.repeat(2000)}${']'.repeat(2000)}`)
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`key ${n}`, n]))
  for (const payload of [
    long,
    deep,
    many,
    { [long]: 1 },
    { deadline: long },
    { localTime: deep },
    { skipSchemas: deep },
    { exclude: [long] },
    { exclude: Array.from({ length: 5000 }, (_, n) => `table ${n}`) },
  ]) {
    const { action, message } = await openJob(sql, payload)
    t.is(action, 'reject')
    t.true(message !== null && message.length <= 2000, String(message?.length))
    const length = (await runs(sql)).at(-1)?.error_message?.length ?? 0
    t.true(length > 0 && length <= 2000, String(length))
  }
})

test('a malformed payload raises a warning to whoever opens the job by hand', async (t) => {
  const db = await createDatabase(t)
  const notices: { severity: string; code: string; detail: string }[] = []
  const sql = db.connect({
    onnotice: ({ severity, code, detail }) => notices.push({ severity, code, detail } as (typeof notices)[0]),
  })

  await openJob(sql, { jobs: 'many' })

  t.is(notices.length, 1)
  t.like(notices[0], { severity: 'WARNING', code: '22023' })
  t.regex(notices[0]?.detail ?? '', /^jobs: saw "many"/)
})

const slot = '2024-11-20T05:15:00.000Z'

test('a slot is collected once: whoever replays it is told which run has served it', async (t) => {
  const { sql } = await createDatabase(t)
  const first = await openJob(sql, at(slot))
  await collectRun(sql, first)

  for (const payload of [at(slot), at(slot, { online: true }), at(slot, { deadline: '5m' })]) {
    const replay = await openJob(sql, payload)
    t.like(replay, { action: 'served', run_id: first.run_id })
    t.regex(replay.message ?? '', new RegExp(`run ${first.run_id} .*2024-11-20`))
  }

  t.deepEqual(
    (await runs(sql)).map(({ status, scheduled_for }) => [status, scheduled_for]),
    [['SUCCEEDED', new Date(slot)]],
  )
})

test('after an outage of three days one run, now, serves every slot that was missed', async (t) => {
  const { sql } = await createDatabase(t)
  const missed = ['2024-11-17', '2024-11-18', '2024-11-19'].map((day) => `${day}T05:15:00Z`)

  const jobs = []
  for (const ts of missed) {
    const job = await openJob(sql, at(ts))
    if (job.action === 'collect') await collectRun(sql, job)
    jobs.push(job)
  }

  t.deepEqual(
    jobs.map(({ action, run_id }) => [action, run_id]),
    [
      ['collect', '1'],
      ['served', '1'],
      ['served', '1'],
    ],
  )
  t.is((await runs(sql)).length, 1)
})

test('while a run for one of the missed slots is under way, the jobs of the others wait for it', async (t) => {
  const { sql } = await createDatabase(t)
  const running = await openJob(sql, at('2024-11-17T05:15:00Z'))

  const other = await openJob(sql, at('2024-11-18T05:15:00Z'))

  t.like(other, { action: 'wait', run_id: running.run_id })
})

test('a slot that comes after a run needs one of its own', async (t) => {
  const { sql } = await createDatabase(t)
  await collectRun(sql, await openJob(sql, at('2024-11-17T05:15:00Z')))
  const [{ next }] = await sql<[{ next: string }]>`
    select to_char(clock_timestamp() + interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SSOF":00"') as next
  `

  t.like(await openJob(sql, at(next)), { action: 'collect', run_id: '2' })
})

test('a slot is not served by a scheduled run with another request, nor by a run that somebody asked for', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`select from nms.collect_table_metrics()`
  await collectRun(sql, await openJob(sql, {}))
  await collectRun(sql, await openJob(sql, { localTime: '05:15' }))
  await collectRun(sql, await openJob(sql, at('2024-11-20T05:15:00Z', { skipSchemas: ['tmp'] })))
  await collectRun(sql, await openJob(sql, at('2024-11-20T06:00:00Z', { exclude: ['public.orders'] })))

  const job = await openJob(sql, at('2024-11-19T05:15:00Z'))

  t.like(job, { action: 'collect', run_id: '6' })
})

test('a run that somebody asked for serves no slot, and no slot keeps it from running', async (t) => {
  const { sql } = await createDatabase(t)
  await collectRun(sql, await openJob(sql, at(slot)))

  const asked = [await openJob(sql, {}), await openJob(sql, {})]

  t.deepEqual(
    asked.map(({ action }) => action),
    ['collect', 'collect'],
  )
  for (const job of asked) t.like(await collectRun(sql, job), { status: 'SUCCEEDED', scheduled_for: null })
})

test('while a run for the slot is under way, the job has to wait', async (t) => {
  const { sql } = await createDatabase(t)
  const first = await openJob(sql, at(slot))

  const second = await openJob(sql, at(slot))

  t.like(second, { action: 'wait', run_id: first.run_id })
  t.regex(second.message ?? '', /under way/)
  t.is((await runs(sql)).length, 1)
})

/** Makes a run silent for an hour. */
const silence = (sql: Sql, { run_id }: Pick<Job, 'run_id'>) =>
  sql`update nms.table_metrics_runs set collected_at = now() - interval '1 hour' where run_id = ${run_id}`

test('a slot whose run was abandoned is taken over by another run', async (t) => {
  const { sql } = await createDatabase(t)
  const lost = await openJob(sql, at(slot))
  await silence(sql, lost)

  const next = await openJob(sql, at(slot))

  t.like(next, { action: 'collect', run_id: '2' })
  t.like((await runs(sql))[0], { run_id: lost.run_id, status: 'FAILED' })
  t.regex((await runs(sql))[0]?.error_message ?? '', /^abandoned/)
})

test('a slot whose run is silent for long is not taken from a session that works on it', async (t) => {
  const db = await createDatabase(t)
  const live = await openJob(db.sql, at(slot))
  await silence(db.sql, live)
  const worker = db.connect()
  await worker`begin`
  await worker`select from nms_private.claim_run(run_id => ${live.run_id})`

  t.like(await openJob(db.sql, at(slot)), { action: 'wait', run_id: live.run_id })
})

test('a slot whose run failed is tried again, ten times in all', async (t) => {
  const { sql } = await createDatabase(t)
  for (let n = 1; n <= 10; n++) {
    const job = await openJob(sql, at(slot))
    t.like(job, { action: 'collect', run_id: String(n) })
    await failRun(sql, job)
  }

  const last = await openJob(sql, at(slot))

  t.like(last, { action: 'served', run_id: '10' })
  t.regex(last.message ?? '', /failed/)
  t.is((await runs(sql)).length, 10)
})

test('a slot whose run met a cause that stays is not tried again', async (t) => {
  const { sql } = await createDatabase(t)
  const job = await openJob(sql, at(slot))
  await sql`
    insert into nms.table_metrics_measurements (
      run_id, schema_name, table_name, table_oid, table_kind, is_partition,
      measured_at, error_sqlstate, error_message
    )
    values (${job.run_id}, 'public', 'orders', 0, 'table', false, now(), '42501', 'permission denied')
  `
  await failRun(sql, job)

  const replay = await openJob(sql, at(slot))

  t.like(replay, { action: 'served', run_id: job.run_id })
  t.regex(replay.message ?? '', /failed/)
})

test('a slot that failed for good is tried again by the next slot', async (t) => {
  const { sql } = await createDatabase(t)
  for (let n = 0; n < 10; n++) await failRun(sql, await openJob(sql, at('2024-11-19T05:15:00Z')))

  t.is((await openJob(sql, at('2024-11-20T05:15:00Z'))).action, 'collect')
})

async function openConcurrently({ sql, connect }: TestDatabase, payloads: object[]): Promise<Job[]> {
  const gate = connect()
  await gate`begin`
  await gate`lock table nms.table_metrics_runs in share mode`
  const opening = payloads.map((payload) => openJob(connect(), payload))
  await eventually(async () => {
    const waiting = await sql`
      select from pg_locks
      where not granted and database = (select oid from pg_database where datname = current_database())
    `
    return waiting.length === payloads.length
  }, 'every session waits')
  await gate`rollback`
  return Promise.all(opening)
}

test('of several sessions that open the same slot at once one collects, and the others wait', async (t) => {
  const db = await createDatabase(t)

  const jobs = await openConcurrently(db, [at(slot), at(slot), at(slot)])

  t.deepEqual(jobs.map(({ action }) => action).sort(), ['collect', 'wait', 'wait'])
  t.deepEqual(new Set(jobs.map(({ run_id }) => run_id)), new Set(['1']))
  t.is((await runs(db.sql)).length, 1)
})

test('of several sessions that open the slots of an outage at once one collects, and the others wait', async (t) => {
  const db = await createDatabase(t)
  const missed = ['2024-11-17', '2024-11-18', '2024-11-19'].map((day) => at(`${day}T05:15:00Z`))

  const jobs = await openConcurrently(db, missed)

  t.deepEqual(jobs.map(({ action }) => action).sort(), ['collect', 'wait', 'wait'])
})

test('schedules with other requests do not wait for each other', async (t) => {
  const { sql } = await createDatabase(t)
  await openJob(sql, at(slot, { skipSchemas: ['tmp'] }))

  t.is((await openJob(sql, at('2024-11-20T06:00:00Z'))).action, 'collect')
})

/** Two runs for one slot: no call makes that, but an operator, a restored dump or a bug might. */
async function twoRunsForOneSlot({ sql }: TestDatabase): Promise<Job[]> {
  const jobs = [await openJob(sql, at(slot)), await openJob(sql, {})]
  await sql`update nms.table_metrics_runs set scheduled_for = ${slot} where scheduled_for is null`
  return jobs
}

test('of two runs for one slot the second to end is FAILED, and says which run has served it', async (t) => {
  const db = await createDatabase(t)
  const [first, second] = (await twoRunsForOneSlot(db)) as [Job, Job]
  t.is((await collectRun(db.sql, second)).status, 'SUCCEEDED')

  const run = await collectRun(db.sql, first)

  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', new RegExp(`run ${second.run_id} .*slot`))
  const days = await db.sql<{ run_id: string }[]>`select run_id from nms.table_metrics_daily_snapshot`
  t.deepEqual([...days], [{ run_id: second.run_id }])
})

test('of two runs for one slot that end at once one is FAILED, and says which run has served it', async (t) => {
  const db = await createDatabase(t)
  const [first, second] = (await twoRunsForOneSlot(db)) as [Job, Job]
  const session = db.connect()
  await session`begin`
  await collectRun(session, first)
  const other = db.connect()
  const [{ pid }] = await other<[{ pid: number }]>`select pg_backend_pid() as pid`
  const ending = collectRun(other, second)
  await eventually(async () => {
    return (await db.sql`select from pg_locks where pid = ${pid} and not granted`).length === 1
  }, 'the second run waits')

  await session`commit`

  const run = await ending
  t.is(run.status, 'FAILED')
  t.regex(run.error_message ?? '', new RegExp(`run ${first.run_id} .*slot`))
})

const openAgain = async (sql: Sql, payload: object, requestedAt: Date) => {
  const [job] = await sql<[Job]>`
    select action, run_id, message
    from nms_private.open_job(payload => ${JSON.stringify(payload)}::text::jsonb, requested_at => ${requestedAt})
  `
  return job
}

test('a job without a slot that is tried again is done when a run with its request has succeeded since it was added', async (t) => {
  const { sql } = await createDatabase(t)
  const request = { skipSchemas: ['tmp'] }
  const [{ added }] = await sql<[{ added: Date }]>`select now() as added`
  const first = await openJob(sql, request)
  t.is((await openAgain(sql, request, added)).action, 'collect', 'it has not succeeded yet')
  await collectRun(sql, first)

  t.like(await openAgain(sql, request, added), {
    action: 'served',
    run_id: first.run_id,
    message: `run ${first.run_id} has done this job`,
  })
  t.is((await openAgain(sql, {}, added)).action, 'collect', 'that run left out a schema')
  const [{ later }] = await sql<[{ later: Date }]>`select clock_timestamp() as later`
  t.is((await openAgain(sql, request, later)).action, 'collect', 'that run was before it was added')
  t.is((await openJob(sql, request)).action, 'collect', 'a job that is tried the first time gets a run')
  t.is((await openAgain(sql, { exclude: 'x' }, added)).action, 'reject')
})
