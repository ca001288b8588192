import type { Command } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { readKnownTable } from '../reading/known_table.ts'
import { describeTrend, readTrend } from '../reading/trend.ts'
import { trendOfBytes } from '../reading/trend_of_bytes.ts'
import { print } from '../terminal/output.ts'
import { wholeNumber } from './arguments.ts'

export function addTrendCommand(program: Command): void {
  program
    .command('trend')
    .description('draw how many rows a table had on each of the last business days')
    .argument('<schema.table>', 'a table, spelled as the catalogue does or quoted as in SQL')
    .option('--days <n>', 'how many days back, today included', wholeNumber(99999), 30)
    .option('--bytes', 'draw its bytes on disk instead, as far as runs have measured them')
    .option('--json', 'print the days as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics trend public.orders --days 90')
    .action((name: string, { days, bytes, json }: { days: number; bytes?: true; json?: true }) =>
      withDatabase(async (sql) => {
        const report = await readTrend(sql, { ...(await readKnownTable(sql, name)), days })
        if (json) print(report)
        else if (bytes) print(describeTrend(trendOfBytes(parseExactly(report)), days, 'bytes'))
        else print(describeTrend(parseExactly(report), days))
      }),
    )
}
