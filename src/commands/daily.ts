import { type Command, Option } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { chosenPayload, dailyPayload, describeDay } from '../reading/daily.ts'
import { day, days, readPoint } from '../reading/point.ts'
import { print } from '../terminal/output.ts'
import { addChoiceOptions, type ChoiceOptions, choiceOf } from './choice.ts'

interface Options extends ChoiceOptions {
  all?: true
  json?: true
  payloadVersion: string
  since?: string
}

export function addDailyCommand(program: Command): void {
  addChoiceOptions(program.command('daily'), 'rows')
    .description('show how many rows every table had on a business day, and what has changed')
    .argument('[day]', `a day such as ${days}, in the business time zone`, day, 'today')
    .option('--since <day>', 'show the change since that day; unless it is named, since the day before', day)
    .option('--all', 'show every table, not only the largest')
    .option('--json', 'print the JSON of the day, {schema: {table: count}}')
    .addOption(
      new Option('--payload-version <n>', 'of that JSON: 2 also says how each count was found')
        .choices(['1', '2'])
        .default('1'),
    )
    .addHelpText('after', '\nExample:\n  table-metrics daily 2026-11-20 --since 1w')
    .action((named: string, { all, json, payloadVersion, since, ...options }: Options) =>
      withDatabase(async (sql) => {
        const shown = await readPoint(sql, named, 'table-metrics daily')
        const earlier = since && (await readPoint(sql, since, 'table-metrics daily --since', 'since'))
        const choice = choiceOf(options)
        const request = { shown, since: earlier || undefined, choice, all }
        if (!json) print(await describeDay(sql, request))
        else if (Object.keys(choice).length === 0)
          print(await dailyPayload(sql, shown.run_id, payloadVersion))
        else if (payloadVersion === '1') print(await chosenPayload(sql, request))
        else throw new Error('--payload-version 2 has all tables: leave out what chooses some of them')
      }),
    )
}
