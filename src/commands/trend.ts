import { type Command, InvalidArgumentError } from 'commander'
import { parseExactly } from '../reading/exact_json.ts'
import { readKnownTable } from '../reading/known_table.ts'
import { describeTrend, readTrend } from '../reading/trend.ts'
import { withDatabase } from '../session.ts'
import { print } from '../terminal/output.ts'

export function addTrendCommand(program: Command): void {
  program
    .command('trend')
    .description('draw how many rows a table had on each of the last business days')
    .argument('<schema.table>', 'a table, spelled as the catalogue does or quoted as in SQL')
    .option('--days <n>', 'how many days back, today included', wholeNumber, 30)
    .option('--json', 'print the days as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics trend public.orders --days 90')
    .action((name: string, { days, json }: { days: number; json?: true }) =>
      withDatabase(async (sql) => {
        const report = await readTrend(sql, { ...(await readKnownTable(sql, name)), days })
        print(json ? report : describeTrend(parseExactly(report), days))
      }),
    )
}

function wholeNumber(value: string): number {
  if (/^[1-9]\d{0,4}$/.test(value)) return Number(value)
  throw new InvalidArgumentError(`saw ${value}, expected a whole number from 1 to 99999`)
}
