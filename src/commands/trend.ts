import { type Command, Option } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { readScope } from '../reading/scope.ts'
import { readTrend, type TrendReport } from '../reading/trend.ts'
import { describeBytes, describeTrend } from '../reading/trend_words.ts'
import { describeTrends, mostTrends } from '../reading/trends_words.ts'
import { print } from '../terminal/output.ts'
import { wholeNumber } from './arguments.ts'

interface TrendOptions {
  days?: number
  filter?: string
  runs?: true
  bytes?: true
  json?: true
}

const usualDays = 30
const usualDaysOfRuns = 2

export function addTrendCommand(program: Command): void {
  const command = program
    .command('trend')
    .description('draw how many rows tables, schemas or all tables had on each of the last business days')
    .argument('<name...>', "a table, 'schema.*' or '*', spelled as the catalogue does or quoted as in SQL")
    .option(
      '--days <n>',
      `how many days back, today included (default: ${usualDays}, with --runs ${usualDaysOfRuns})`,
      wholeNumber(99999),
    )
    .addOption(
      new Option('--filter <name>', 'only the rows that match this filter of the table').conflicts('bytes'),
    )
    .option('--runs', 'draw each run that succeeded rather than each day')
    .option('--bytes', 'draw its bytes on disk instead, as far as runs have measured them')
    .option('--json', 'print the days as JSON')
    .addHelpText(
      'after',
      `
Several names are lines of one chart. Quote a * or the shell puts names of files in its place.

Examples:
  table-metrics trend public.orders --days 90
  table-metrics trend public.orders public.customers
  table-metrics trend 'public.*' --runs`,
    )
    .action((names: string[], options: TrendOptions) => {
      if (names.length > mostTrends) {
        command.error(`error: saw ${names.length} names, expected at most ${mostTrends} in one chart`)
      }
      if (names.length > 1 && options.bytes)
        command.error(`error: saw --bytes with ${names.length} names, expected one`)
      return withDatabase((sql) => show(sql, names, options))
    })
}

async function show(
  sql: Parameters<typeof readScope>[0],
  names: string[],
  { filter, runs, bytes, json, days = runs ? usualDaysOfRuns : usualDays }: TrendOptions,
): Promise<void> {
  const reports: string[] = []
  for (const name of names) {
    reports.push(await readTrend(sql, await readScope(sql, name), { days, filter, runs }))
  }
  const [report = '', another] = reports
  if (another !== undefined) {
    print(
      json
        ? `[${reports.join(', ')}]`
        : describeTrends(
            reports.map((text) => parseExactly<TrendReport>(text)),
            days,
          ),
    )
  } else if (json) print(report)
  else if (bytes) print(describeBytes(parseExactly(report), days))
  else print(describeTrend(parseExactly(report), days))
}
