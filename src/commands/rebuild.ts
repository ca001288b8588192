import type { Command } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { rebuildDay, rebuildRun } from '../history/rebuild.ts'
import { dayOrRun, days, isRun, readDay, readRunId } from '../reading/point.ts'
import { print } from '../terminal/output.ts'

export function addRebuildCommand(program: Command): void {
  program
    .command('rebuild')
    .description('make the JSON of a business day or a run again, from its measurements')
    .argument('<date|run>', `a day such as ${days}, or a run such as 42`, dayOrRun)
    .option('--json', 'print the snapshot as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics rebuild 2026-11-20')
    .action((value: string, { json }: { json?: true }) =>
      withDatabase(async (sql) => {
        const result = isRun(value)
          ? await rebuildRun(sql, await readRunId(sql, value, 'table-metrics rebuild'))
          : await rebuildDay(sql, await readDay(sql, value, 'until'))
        print(json ? result.json : result.text)
      }),
    )
}
