import { type Command, InvalidArgumentError } from 'commander'
import { parseExactly } from '../reading/exact_json.ts'
import { describeStatus, readStatus } from '../reading/status.ts'
import { withDatabase } from '../session.ts'
import { print } from '../terminal/output.ts'

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('tell whether today was counted, how the last runs went, and which alerts are open')
    .option('--runs <n>', 'how many runs', wholeNumber, 10)
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics status --runs 20')
    .action(({ runs, json }: { runs: number; json?: true }) =>
      withDatabase(async (sql) => {
        const report = await readStatus(sql, runs)
        print(json ? report : describeStatus(parseExactly(report)))
      }),
    )
}

function wholeNumber(value: string): number {
  if (/^[1-9]\d{0,2}$/.test(value)) return Number(value)
  throw new InvalidArgumentError(`saw ${value}, expected a whole number from 1 to 999`)
}
