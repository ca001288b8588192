import { type Command, Option } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { readKnownTable } from '../reading/known_table.ts'
import { describeBytes, describeTrend, readTrend } from '../reading/trend.ts'
import { print } from '../terminal/output.ts'
import { wholeNumber } from './arguments.ts'

interface TrendOptions {
  days: number
  filter?: string
  bytes?: true
  json?: true
}

export function addTrendCommand(program: Command): void {
  program
    .command('trend')
    .description('draw how many rows a table had on each of the last business days')
    .argument('<schema.table>', 'a table, spelled as the catalogue does or quoted as in SQL')
    .option('--days <n>', 'how many days back, today included', wholeNumber(99999), 30)
    .option('--filter <name>', 'only the rows that match this filter of the table')
    .addOption(
      new Option('--bytes', 'draw its bytes on disk instead, as far as runs have measured them').conflicts(
        'filter',
      ),
    )
    .option('--json', 'print the days as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics trend public.orders --days 90')
    .action((name: string, { days, filter, bytes, json }: TrendOptions) =>
      withDatabase(async (sql) => {
        const report = await readTrend(sql, { ...(await readKnownTable(sql, name)), days, filter })
        if (json) print(report)
        else if (bytes) print(describeBytes(parseExactly(report), days))
        else print(describeTrend(parseExactly(report), days))
      }),
    )
}
