import type { Command } from 'commander'
import { describeStatus, statusAsJson } from '../reading/status.ts'
import { withDatabase } from '../session.ts'
import { print } from '../terminal/output.ts'
import { wholeNumber } from './arguments.ts'

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('tell whether today was counted, how the last runs went, and which alerts are open')
    .option('--runs <n>', 'how many runs', wholeNumber(999), 10)
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics status --runs 20')
    .action(({ runs, json }: { runs: number; json?: true }) =>
      withDatabase(async (sql) =>
        print(json ? await statusAsJson(sql, runs) : await describeStatus(sql, runs)),
      ),
    )
}
