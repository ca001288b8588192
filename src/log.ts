import { describeError } from './errors.ts'
import type { RunEvent } from './run/events.ts'
import { visible } from './terminal/visible.ts'

/** Something that happened to a worker. */
export type WorkerEvent =
  | { event: 'worker_started'; schema: string; schedule: string[] }
  | { event: 'worker_stopped'; reason: string }
  | { event: 'worker_restarting'; reason: string; delay_seconds: number }
  | { event: 'job_failed'; job_id: string; attempt: number; is_final: boolean; reason: string }
  | { event: 'pruned'; runs_deleted: number; seconds: number }
  | { event: 'schema_not_skipped'; schema: string; remedy: string }
  | { event: 'misspelt_task'; task: string; jobs: number; remedy: string }
  | { event: 'nothing_due'; next?: string; schedule?: string }
  | { event: 'run_late'; detail: string }
  | { event: 'upkeep_failed'; reason: string }
  | { event: 'messages_not_queued'; reason: string }
  | { event: 'message_sent'; about: string; to: string }
  | { event: 'message_failed'; about: string; to: string; is_final: boolean; reason: string }

/** Something that happened to the service. */
export type ServeEvent =
  | { event: 'serving'; url: string }
  | { event: 'serving_stopped'; reason: string }
  | { event: 'caller_refused'; reason: string }
  | { event: 'token_file'; notice: string }
  | { event: 'runs_queued'; queued: number; received: number; caller: string }
  | { event: 'request_failed'; path: string; status: number; reason: string }

/** That a run could not even be opened: there is no run_id then. */
export type RefusalEvent = { event: 'run_failed'; reason: string; seconds: number }

export type LogEvent = RunEvent | RefusalEvent | WorkerEvent | ServeEvent

// People build alerts on these names.
const events: Record<LogEvent['event'], [level: 'info' | 'warn' | 'error', words: string]> = {
  run_started: ['info', 'run started'],
  run_succeeded: ['info', 'run succeeded'],
  run_failed: ['error', 'run failed'],
  run_abandoned: ['error', 'run abandoned'],
  no_tables_found: ['warn', 'no tables found'],
  target_failed: ['error', 'table not counted'],
  alert_opened: ['warn', 'something is strange'],
  alert_closed: ['info', 'something is strange no longer'],
  yielded: ['warn', 'yielded to another session'],
  worker_started: ['info', 'worker started'],
  worker_stopped: ['info', 'worker stopped'],
  worker_restarting: ['error', 'worker starts again'],
  job_failed: ['error', 'job failed'],
  pruned: ['info', 'old runs deleted'],
  schema_not_skipped: ['warn', "graphile-worker's own tables are counted"],
  misspelt_task: ['warn', 'nobody works on the jobs of a task'],
  nothing_due: ['info', 'nothing is due'],
  run_late: ['error', 'a day has no result in time'],
  messages_not_queued: ['warn', 'what there is to tell was not queued'],
  message_sent: ['info', 'webhook told'],
  message_failed: ['warn', 'webhook not told'],
  serving: ['info', 'serving'],
  serving_stopped: ['info', 'serving stopped'],
  caller_refused: ['warn', 'caller refused'],
  token_file: ['info', 'token file'],
  runs_queued: ['info', 'runs queued'],
  request_failed: ['error', 'request failed'],
  upkeep_failed: ['error', 'could not look for abandoned or missing runs'],
}

/** Where events go. */
export interface Log {
  record(event: LogEvent): void
}

/**
 * A log with one line per event.
 *
 * @param format JSON, on standard output unless a stream is given; or text for people, on standard error. In JSON
 *   numbers are numbers, also ids; but the number of rows is a string, for it may pass 2^53
 */
export function createLog(
  format: 'json' | 'text',
  stream: NodeJS.WritableStream = format === 'json' ? process.stdout : process.stderr,
): Log {
  // Whoever reads the log may go away: that is no reason to stop.
  if (stream.listenerCount('error') === 0) stream.on('error', () => undefined)
  const line = format === 'text' ? asText : asJson
  return { record: (event) => stream.write(`${line(event)}\n`) }
}

/** A log that hands everything on to somebody else's logger, such as that of graphile-worker. */
export function forwardTo(
  logger: Record<'info' | 'warn' | 'error', (message: string, meta?: LogEvent) => void>,
): Log {
  return {
    record(event) {
      const [level, words] = events[event.event]
      logger[level](`${words}${details(event)}`, event)
    },
  }
}

// Never begun within blanks: a message of others may be a megabyte of them.
const lineEnds = /(?<!\s)\s*\n\s*/g

/** Why something failed, in one line. */
export function reasonOf(error: unknown): string {
  return describeError(error)
    .replace(/^error: /, '')
    .replaceAll(lineEnds, '; ')
}

function asJson(event: LogEvent): string {
  const [level, msg] = events[event.event]
  return visible(JSON.stringify({ level, time: new Date(), ...event, msg }, withNumbers))
}

const ids = ['run_id', 'opened_by_run', 'job_id']

const withNumbers = (name: string, value: unknown) => (ids.includes(name) ? Number(value) : value)

function asText(event: LogEvent): string {
  const [level, words] = events[event.event]
  return `${new Date().toISOString()} ${level.padEnd(5)} ${words}${details(event)}`
}

function details({ event, ...rest }: LogEvent): string {
  const pairs = Object.entries(rest).map(
    ([name, value]) => `${name}: ${Array.isArray(value) ? value.join(', ') || 'none' : value}`,
  )
  const line = visible(pairs.join('; ').replaceAll(lineEnds, ' '))
  return line ? ` (${line})` : ''
}
