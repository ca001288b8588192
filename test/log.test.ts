import { PassThrough } from 'node:stream'
import test from 'ava'
import { createLog, type LogEvent, reasonOf } from '../src/log.ts'

// Alerts are built on these names and levels.
const samples: [level: string, event: LogEvent][] = [
  ['info', { event: 'run_started', run_id: '7', online: false }],
  ['info', { event: 'run_succeeded', run_id: '7', tables: 12, rows: '9007199254740993', seconds: 1.5 }],
  ['error', { event: 'run_failed', run_id: '7', reason: 'stopped', seconds: 1.5 }],
  ['error', { event: 'run_abandoned', run_id: '7', reason: 'abandoned: no sign of life' }],
  ['warn', { event: 'no_tables_found', run_id: '7' }],
  [
    'error',
    { event: 'target_failed', run_id: '7', table: 'public.orders', sqlstate: '42501', reason: 'denied' },
  ],
  ['warn', { event: 'alert_opened', run_id: '7', kind: 'drop', table: 'public.orders', detail: '5 rows' }],
  [
    'warn',
    { event: 'alert_opened', run_id: '7', kind: 'drop', alerts: 12, schema: 'public', detail: '12 tables' },
  ],
  [
    'info',
    {
      event: 'alert_closed',
      run_id: '7',
      kind: 'drop',
      table: 'public.orders',
      detail: '5 rows',
      since: '2026-11-20T05:15:00.000Z',
      opened_by_run: '6',
    },
  ],
  ['error', { event: 'run_late', detail: 'no result for 2026-11-20' }],
  ['warn', { event: 'yielded', run_id: '7', table: 'public.orders', to: 'psql (12)', outcome: 'put back' }],
  ['info', { event: 'worker_started', schema: 'graphile_worker', schedule: ['daily'] }],
  ['info', { event: 'worker_stopped', reason: 'stopped by SIGTERM' }],
  ['error', { event: 'worker_restarting', reason: 'connection refused', delay_seconds: 4 }],
  ['error', { event: 'job_failed', job_id: '3', attempt: 1, is_final: true, reason: 'no such key' }],
  ['info', { event: 'pruned', runs_deleted: 12, seconds: 1.5 }],
  ['warn', { event: 'schema_not_skipped', schema: 'jobs', remedy: 'update …' }],
  ['error', { event: 'upkeep_failed', reason: 'no answer' }],
  ['info', { event: 'message_sent', about: 'run 41', to: 'https://example.com' }],
  [
    'warn',
    {
      event: 'message_failed',
      about: 'run 41',
      to: 'https://example.com',
      is_final: true,
      reason: 'it answered 404',
    },
  ],
  ['warn', { event: 'messages_not_queued', reason: 'no answer' }],
]

function written(format: 'json' | 'text', events: LogEvent[]): string[] {
  const stream = new PassThrough()
  const log = createLog(format, stream)
  for (const event of events) log.record(event)
  return String(stream.read()).trimEnd().split('\n')
}

for (const [n, [level, event]] of samples.entries()) {
  const what = `${event.event} (${n + 1})`
  test(`${what} is one JSON line with its level, its time and all that is known`, (t) => {
    const [line, ...more] = written('json', [event])

    t.deepEqual(more, [])
    const { time, msg, ...rest } = JSON.parse(line ?? '')
    const ids = Object.entries(event).filter(([name]) => /^(run_id|opened_by_run|job_id)$/.test(name))
    t.deepEqual(rest, { level, ...event, ...Object.fromEntries(ids.map(([name, id]) => [name, Number(id)])) })
    t.true(Math.abs(Date.parse(time) - Date.now()) < 3_600_000)
    t.regex(msg, /^[a-z]/)
  })

  test(`${what} is one line for people with its level and all that is known`, (t) => {
    const [line, ...more] = written('text', [event])

    t.deepEqual(more, [])
    const { event: name, ...details } = event
    for (const value of [level, ...Object.values(details).map(String)]) t.true(line?.includes(value), name)
  })
}

test('a message of several lines stays one line', (t) => {
  const event: LogEvent = { event: 'run_failed', run_id: '7', reason: 'first\n  second', seconds: 1 }

  t.is(written('text', [event]).length, 1)
  t.is(written('json', [event]).length, 1)
  t.true(written('text', [event])[0]?.includes('first second'))
})

for (const format of ['json', 'text'] as const) {
  test(`a reader of the ${format} log who goes away stops nothing`, async (t) => {
    const stream = new PassThrough()
    const log = createLog(format, stream)
    stream.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    await new Promise((resolve) => setImmediate(resolve))

    t.notThrows(() => log.record({ event: 'no_tables_found', run_id: '7' }))
    await new Promise((resolve) => setImmediate(resolve))
  })
}

test('a megabyte of blanks in what others say holds up nobody', (t) => {
  const blanks = ' '.repeat(1_000_000)
  t.is(reasonOf(new Error(`one \n \n two${blanks}x`)), `one; two${blanks}x`)
  const [line] = written('text', [{ event: 'run_late', detail: `one \n two${blanks}x` }])
  t.true(line?.includes(`one two${blanks}x`))
})
