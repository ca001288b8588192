import type { Command } from 'commander'
import type { Sql } from '../connection/database.ts'
import { withDatabase } from '../connection/with_database.ts'
import { countPrunable, type Keep, type Pruned, prune } from '../history/prune.ts'
import { interruption } from '../terminal/interruption.ts'
import { print } from '../terminal/output.ts'
import { plural } from '../terminal/terminal.ts'
import { checkKeepTime } from './durations.ts'

type Options = Keep & { dryRun?: true; json?: true }

export function addPruneCommand(program: Command): void {
  program
    .command('prune')
    .description('delete old runs, little by little; the latest successful one always stays')
    .option('--keep-runs <time>', 'keep runs that own no day for that long, such as 90d; else for ever')
    .option('--keep-daily <time>', 'keep the runs that own a day for that long, such as 3y; else for ever')
    .option('--dry-run', 'only tell how many runs it would delete')
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics prune --keep-runs 90d --keep-daily 3y')
    .action(({ dryRun, json, ...keep }: Options) => {
      if (keep.keepRuns === undefined && keep.keepDaily === undefined)
        throw new Error('prune needs to know what to keep: type for example --keep-runs 90d --keep-daily 3y')
      return withDatabase(async (sql) => {
        if (keep.keepRuns !== undefined) await checkKeepTime(sql, '--keep-runs', keep.keepRuns)
        if (keep.keepDaily !== undefined) await checkKeepTime(sql, '--keep-daily', keep.keepDaily)
        const { deleted, left } = dryRun
          ? { deleted: '0', left: await countPrunable(sql, keep) }
          : await pruneWithProgress(sql, keep)
        if (json) print(`{"runs_deleted": ${deleted}, "runs_left": ${left}}`)
        else if (dryRun) print(`${plural(left ?? '', 'run')} would be deleted`)
        else
          print(
            `${plural(deleted, 'run')} deleted${left === '0' ? '' : `, stopped before ${left ?? 'all the'} others`}`,
          )
        if (!dryRun && left !== '0') process.exitCode = 1
      })
    })
}

async function pruneWithProgress(sql: Sql, keep: Keep): Promise<Pruned> {
  if (!process.stderr.isTTY) return prune(sql, keep, interruption())
  try {
    return await prune(sql, keep, interruption(), ({ deleted, left }) =>
      process.stderr.write(`\r\u001b[K${plural(deleted, 'run')} deleted, ${left} left`),
    )
  } finally {
    process.stderr.write('\r\u001b[K')
  }
}
