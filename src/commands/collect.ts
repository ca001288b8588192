import { type Command, Option } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { sendNow, warnings } from '../deliver/now.ts'
import { readWebhook } from '../deliver/webhook.ts'
import { databaseUrl, snapshotTimeZone } from '../environment.ts'
import { type Owner, superuserAsOwner } from '../install/owner.ts'
import { createLog } from '../log.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { previewRun } from '../reading/preview.ts'
import { describeRun, readRunReport } from '../reading/report.ts'
import { collectTableMetrics } from '../run/collect.ts'
import type { CollectOptions, CollectRequest } from '../run/options.ts'
import { interruption } from '../terminal/interruption.ts'
import { humanStream, print } from '../terminal/output.ts'
import { showProgress } from '../terminal/progress_bar.ts'
import { wholeNumber } from './arguments.ts'
import { checkDeadline } from './durations.ts'

type Options = Required<CollectRequest> &
  Pick<CollectOptions, 'online' | 'jobs' | 'deadline'> & { dryRun?: true; json?: true; log?: 'json' | 'text' }

const repeatable = (value: string, values: string[]) => [...values, value]

export function addCollectCommand(program: Command): void {
  program
    .command('collect')
    .description('count every table now and keep the result; exit status 0 only if the run SUCCEEDED')
    .option('--skip <schema>', 'leave out a schema; may be repeated', repeatable, [])
    .option('--exclude <schema.table>', 'leave out a table; may be repeated', repeatable, [])
    .option('--online', 'each table in a short transaction of its own, yielding to other sessions')
    .option('--jobs <n>', 'count with that many sessions, 1 to 32; needs --online', wholeNumber(32))
    .option('--deadline <time>', 'end the run as FAILED after that time, such as 90s, 30m or 2h')
    .option('--dry-run', 'only show what would happen to each table, and why')
    .option('--json', 'print the result as JSON')
    .addOption(
      new Option('--log <format>', 'print events instead of progress')
        .choices(['json', 'text'])
        .conflicts('json'),
    )
    .addHelpText(
      'after',
      '\nExample:\n  table-metrics collect --skip tmp --exclude public.orders --json\n  table-metrics collect --online --jobs 2 --deadline 30m',
    )
    .action(async ({ skip, exclude, online, jobs, deadline, dryRun, json, log }: Options) => {
      if (jobs && !online) throw new Error('--jobs: several sessions count only an online run: add --online')
      snapshotTimeZone() // an invalid one is refused before anything is counted
      const webhook = readWebhook()
      if (deadline !== undefined) await withDatabase((sql) => checkDeadline(sql, '--deadline', deadline))
      const human = humanStream(json)
      if (dryRun) {
        const preview = await withDatabase((sql) => previewRun(sql, { skip, exclude }))
        if (json) print(preview.json)
        else human.write(`${preview.text}\n`)
        return
      }
      const superuser = await withDatabase((sql) =>
        superuserAsOwner(async (text) => ((await sql.unsafe(text)) as unknown as Owner[][]).at(-1)?.[0]),
      )
      if (superuser && !log) console.error(`warning: ${superuser}`)
      const events = log && createLog(log)
      const bar = online && !json && !log ? showProgress(process.stderr) : undefined
      const signal = interruption()
      const options = {
        signal,
        ...(online && { online }),
        ...(jobs && { jobs }),
        ...(deadline !== undefined && { deadline }),
        ...(events && { report: events.record }),
        ...(bar && { progress: bar.update }),
      }
      const run = await collectTableMetrics(databaseUrl(), { skip, exclude }, options).finally(bar?.end)
      // Over a link of its own: one that was there before may have died while the run was counted.
      await withDatabase(async (sql) => {
        const report = await readRunReport(sql, run.run_id)
        if (json) print(report)
        human.write(`${describeRun(parseExactly(report))}\n`)
      })
      if (run.status !== 'SUCCEEDED') process.exitCode = 1
      if (webhook) await sendNow(databaseUrl(), webhook, events ?? warnings, signal)
    })
}
