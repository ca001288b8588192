import { type Command, Option } from 'commander'
import type { Sql } from '../connection/database.ts'
import { withDatabase, withSession } from '../connection/with_database.ts'
import { sendNow, warnings } from '../deliver/now.ts'
import { readWebhook } from '../deliver/webhook.ts'
import { databaseUrl, snapshotTimeZone } from '../environment.ts'
import { type Owner, superuserAsOwner } from '../install/owner.ts'
import { createLog, type Log, type LogEvent, reasonOf } from '../log.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { describePreview, readPreview } from '../reading/preview.ts'
import { describeRun, readRunReport } from '../reading/report.ts'
import { collectTableMetrics } from '../run/collect.ts'
import type { CollectOptions, CollectRequest } from '../run/options.ts'
import type { Run } from '../run/run.ts'
import { interruption } from '../terminal/interruption.ts'
import { humanStream, print } from '../terminal/output.ts'
import { showProgress } from '../terminal/progress_bar.ts'
import { repeatable, wholeNumber } from './arguments.ts'
import { checkDeadline } from './durations.ts'

type Request = Required<CollectRequest>
type Counting = Pick<CollectOptions, 'online' | 'jobs' | 'deadline'>
type Output = { json?: true; quiet?: true; log?: 'json' | 'text' }
type Options = Request & Counting & Output & { strict?: true; dryRun?: true; all?: true }

export function addCollectCommand(program: Command): void {
  program
    .command('collect')
    .description('count every table now and keep the result; exit status 0 only if the run SUCCEEDED')
    .option('--skip <schema>', 'leave out a schema; may be repeated', repeatable, [])
    .option('--exclude <schema.table>', 'leave out a table; may be repeated', repeatable, [])
    .option('--strict', 'refuse to begin when what is to be left out matches nothing')
    .option('--online', 'each table in a short transaction of its own, yielding to other sessions')
    .option('--jobs <n>', 'count with that many sessions, 1 to 32; needs --online', wholeNumber(32))
    .option('--deadline <time>', 'end the run as FAILED after that time, such as 90s, 30m or 2h')
    .option('--dry-run', 'only show what would happen to each table, and why')
    .option('--all', 'with --dry-run: show every table, also those of the machinery')
    .option('--json', 'print the result as JSON, and nothing else')
    .addOption(
      new Option('--quiet', 'print nothing but why a run FAILED').conflicts(['json', 'log', 'dryRun']),
    )
    .addOption(
      new Option('--log <format>', 'print events instead of progress')
        .choices(['json', 'text'])
        .conflicts('json'),
    )
    .addHelpText(
      'after',
      '\nExample:\n  table-metrics collect --skip tmp --exclude public.orders --json\n  table-metrics collect --online --jobs 2 --deadline 30m',
    )
    .action(async ({ log: format, ...options }: Options) => {
      if (!format) return collect(options)
      const log = createLog(format)
      const startedAt = Date.now()
      let wasOpened = false
      const record = (event: LogEvent) => {
        wasOpened = true
        log.record(event)
      }
      await collect(options, { record }).catch((error) => {
        if (wasOpened) throw error
        log.record({ event: 'run_failed', reason: reasonOf(error), seconds: (Date.now() - startedAt) / 1000 })
        if (format === 'json') throw error
        process.exitCode = 1 // it was said on the same stream
      })
    })
}

async function collect(
  { skip, exclude, strict, dryRun, all, json, quiet, ...counting }: Omit<Options, 'log'>,
  log?: Log,
): Promise<void> {
  const { online, jobs, deadline } = counting
  if (jobs && !online) throw new Error('--jobs: several sessions count only an online run: add --online')
  if (all && !dryRun) throw new Error('--all: saw no --dry-run, whose list it makes complete: add --dry-run')
  snapshotTimeZone() // an invalid one is refused before anything is counted
  const webhook = readWebhook()
  const request = { skip, exclude }
  const human = humanStream(json)
  // What can be seen to be wrong leaves no run.
  const warning = await withDatabase(async (sql) => {
    if (deadline !== undefined) await checkDeadline(sql, '--deadline', deadline)
    await checkRequest(sql, request, strict)
    if (!dryRun) return json || quiet || log ? undefined : superuserWarning(sql)
    if (json) print(await readPreview(sql, request))
    else human.write(`${await describePreview(sql, request, all)}\n`)
  })
  if (dryRun) return
  if (warning) console.error(`warning: ${warning}`)
  const bar = online && !json && !quiet && !log ? showProgress(process.stderr) : undefined
  const signal = interruption()
  const options = {
    ...counting,
    signal,
    ...(log && { report: log.record }),
    ...(bar && { progress: bar.update }),
  }
  const run = await collectTableMetrics(databaseUrl(), request, options).finally(bar?.end)
  if (run.status !== 'SUCCEEDED') process.exitCode = 1
  try {
    if (quiet) refuseFailure(run)
    else await showRun(run, json)
  } finally {
    if (webhook) await sendNow(databaseUrl(), webhook, log ?? warnings, signal)
  }
}

async function showRun({ run_id }: Run, json?: true): Promise<void> {
  // Over a link of its own: one that was there before may have died while the run was counted.
  await withSession(async (sql) => {
    const report = await readRunReport(sql, run_id)
    if (json) print(report)
    else humanStream(json).write(`${describeRun(parseExactly(report))}\n`)
  }, databaseUrl())
}

function refuseFailure({ run_id, status, error_message }: Run): void {
  if (status !== 'SUCCEEDED') throw new Error(`run ${run_id}: ${status}: ${error_message}`)
}

/** @throws what is wrong with the request; with `strict`, also what matches nothing */
async function checkRequest(sql: Sql, { skip, exclude }: Request, strict = false): Promise<void> {
  const [{ problem }] = await sql<[{ problem: string | null }]>`
    select nms.request_problem(
      skip => ${sql.json(skip)}, exclude => ${sql.json(exclude)}, is_strict => ${strict}
    ) as problem
  `
  if (problem !== null) throw new Error(problem)
}

function superuserWarning(sql: Sql): Promise<string | undefined> {
  return superuserAsOwner(async (text) => ((await sql.unsafe(text)) as unknown as Owner[][]).at(-1)?.[0])
}
