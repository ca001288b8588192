import type { Command } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { dailyPayload, describeDay } from '../reading/daily.ts'
import { day, readRunId } from '../reading/point.ts'
import { print } from '../terminal/output.ts'

export function addDailyCommand(program: Command): void {
  program
    .command('daily')
    .description('show how many rows every table had on a business day, and the change since the day before')
    .argument(
      '[date]',
      'a day such as 2026-11-20, today or yesterday, in the business time zone',
      day,
      'today',
    )
    .option('--all', 'show every table, not only the largest')
    .option('--json', 'print the JSON of the day, {schema: {table: count}}')
    .addHelpText('after', '\nExample:\n  table-metrics daily 2026-11-20')
    .action((date: string, { all, json }: { all?: true; json?: true }) =>
      withDatabase(async (sql) => {
        const runId = await readRunId(sql, date, 'table-metrics daily')
        print(json ? await dailyPayload(sql, runId) : await describeDay(sql, runId, all))
      }),
    )
}
