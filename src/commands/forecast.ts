import type { Command } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { describeForecast, readForecast } from '../reading/forecast.ts'
import { readKnownTable } from '../reading/known_table.ts'
import { print } from '../terminal/output.ts'
import { numberOfRows, wholeNumber } from './arguments.ts'

export function addForecastCommand(program: Command): void {
  program
    .command('forecast')
    .description(
      'tell when a table has how many rows, and when its primary key runs out, each with its range',
    )
    .argument('<schema.table>', 'a table, spelled as the catalogue does or quoted as in SQL')
    .option('--rows <n>', 'when it has as many', numberOfRows)
    .option('--days <n>', 'by how many of the last days, today included', wholeNumber(366), 90)
    .option('--json', 'print the forecast as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics forecast public.orders --rows 1000000')
    .action((name: string, { rows, days, json }: { rows?: string; days: number; json?: true }) =>
      withDatabase(async (sql) => {
        const report = await readForecast(sql, { ...(await readKnownTable(sql, name)), rows, days })
        print(json ? report : describeForecast(parseExactly(report)))
      }),
    )
}
