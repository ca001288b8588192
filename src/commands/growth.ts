import { type Command, Option } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { type By, periodsOfGrowth, readGrowth } from '../reading/growth.ts'
import { describeGrowth } from '../reading/growth_words.ts'
import { readScope } from '../reading/scope.ts'
import { print } from '../terminal/output.ts'
import { wholeNumber } from './arguments.ts'

interface Options {
  by: By
  periods: number
  json?: true
}

export function addGrowthCommand(program: Command): void {
  program
    .command('growth')
    .description('show how a table, a schema or all tables grew, and what of it grew most')
    .argument('[name]', "a table, 'schema.*' or '*', spelled as the catalogue does or quoted as in SQL", '*')
    .addOption(new Option('--by <period>', 'of which length').choices(periodsOfGrowth).default('week'))
    .option('--periods <n>', 'how many of them, the current one included', wholeNumber(1000), 12)
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
A week begins on Monday. Of each period the last day with a result is shown, and the change since that of the one before.
Quote a * or the shell puts names of files in its place.

Examples:
  table-metrics growth --by month
  table-metrics growth 'public.*'`,
    )
    .action((name: string, { by, periods, json }: Options) =>
      withDatabase(async (sql) => {
        const report = await readGrowth(sql, await readScope(sql, name), { by, periods })
        print(json ? report : describeGrowth(parseExactly(report), periods))
      }),
    )
}
