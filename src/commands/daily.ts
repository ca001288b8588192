import { type Command, Option } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { dailyPayload, describeDay } from '../reading/daily.ts'
import { day, readRunId } from '../reading/point.ts'
import { print } from '../terminal/output.ts'

interface Options {
  all?: true
  json?: true
  payloadVersion: string
}

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
    .addOption(
      new Option('--payload-version <n>', 'of that JSON: 2 also says how each count was found')
        .choices(['1', '2'])
        .default('1'),
    )
    .addHelpText('after', '\nExample:\n  table-metrics daily 2026-11-20')
    .action((date: string, { all, json, payloadVersion }: Options) =>
      withDatabase(async (sql) => {
        const runId = await readRunId(sql, date, 'table-metrics daily')
        print(json ? await dailyPayload(sql, runId, payloadVersion) : await describeDay(sql, runId, all))
      }),
    )
}
