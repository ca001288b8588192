import type { Command } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { describeStatus, readStatus } from '../reading/status.ts'
import { print } from '../terminal/output.ts'
import { wholeNumber } from './arguments.ts'
import { check, checkOption } from './check.ts'

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('tell whether today was counted, how the last runs went, and which alerts are open')
    .option('--runs <n>', 'how many runs', wholeNumber(999), 10)
    .option('--json', 'print it as JSON')
    .addOption(checkOption())
    .addHelpText('after', '\nExample:\n  table-metrics status --runs 20')
    .action(({ runs, json, check: isCheck }: { runs: number; json?: true; check?: true }) =>
      isCheck
        ? check('status')
        : withDatabase(async (sql) => {
            const report = await readStatus(sql, runs)
            print(json ? report : describeStatus(parseExactly(report)))
          }),
    )
}
