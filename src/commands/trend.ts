import type { Command } from 'commander'
import { readKnownTable } from '../reading/known_table.ts'
import { describeTrend, trendAsJson } from '../reading/trend.ts'
import { withDatabase } from '../session.ts'
import { print } from '../terminal/output.ts'
import { wholeNumber } from './arguments.ts'

export function addTrendCommand(program: Command): void {
  program
    .command('trend')
    .description('draw how many rows a table had on each of the last business days')
    .argument('<schema.table>', 'a table, spelled as the catalogue does or quoted as in SQL')
    .option('--days <n>', 'how many days back, today included', wholeNumber(99999), 30)
    .option('--json', 'print the days as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics trend public.orders --days 90')
    .action((name: string, { days, json }: { days: number; json?: true }) =>
      withDatabase(async (sql) => {
        const request = { ...(await readKnownTable(sql, name)), days }
        print(json ? await trendAsJson(sql, request) : await describeTrend(sql, request))
      }),
    )
}
