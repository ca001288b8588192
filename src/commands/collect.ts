import type { Command } from 'commander'
import { type CollectRequest, collectTableMetrics } from '../collect.ts'
import { connect } from '../database.ts'
import { databaseUrl, snapshotTimeZone } from '../environment.ts'
import { previewRun } from '../preview.ts'
import { reportRun, reportRunAsJson } from '../report.ts'
import { humanStream } from '../terminal.ts'

type Options = Required<CollectRequest> & { dryRun?: true; json?: true }

const repeatable = (value: string, values: string[]) => [...values, value]

export function addCollectCommand(program: Command): void {
  program
    .command('collect')
    .description('count every table now and keep the result; exit status 0 only if the run SUCCEEDED')
    .option('--skip <schema>', 'leave out a schema; may be repeated', repeatable, [])
    .option('--exclude <schema.table>', 'leave out a table; may be repeated', repeatable, [])
    .option('--dry-run', 'only show what would happen to each table, and why')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics collect --skip tmp --exclude public.orders --json')
    .action(async ({ skip, exclude, dryRun, json }: Options) => {
      const timeZone = snapshotTimeZone()
      const human = humanStream(json)
      const sql = connect(databaseUrl())
      try {
        if (dryRun) {
          const preview = await previewRun(sql, { skip, exclude })
          if (json) console.log(preview.json)
          else human.write(`${preview.text}\n`)
          return
        }
        const run = await collectTableMetrics(sql, { skip, exclude }, interruption())
        if (json) console.log(await reportRunAsJson(sql, run))
        human.write(`${await reportRun(sql, run, timeZone)}\n`)
        if (run.status !== 'SUCCEEDED') process.exitCode = 1
      } finally {
        await sql.end()
      }
    })
}

/** Aborts at the first Ctrl-C or SIGTERM, which ends the run as FAILED; a second one kills. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())
  return controller.signal
}
