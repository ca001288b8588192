import type { Command } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { reportPage } from '../page/report/report.ts'
import { inlineStyle } from '../page/report/style.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { type Period, readPeriod } from '../reading/period.ts'
import { day, readDays } from '../reading/point.ts'
import { print } from '../terminal/output.ts'

interface Options {
  since?: string
  until?: string
  all?: true
  json?: true
}

export function addReportCommand(program: Command): void {
  program
    .command('report')
    .description(
      'print what became of all tables in a period as one HTML page, to attach to a mail or a build',
    )
    .option('--since <day>', 'what it is compared with: 1w unless given, or a day such as 2026-11-01', day)
    .option('--until <day>', 'the last day; today unless given', day)
    .option('--all', 'show every table, not only those that changed most')
    .option('--json', 'print the same as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics report --since 1w > report.html')
    .action(({ since, until, all, json }: Options) =>
      withDatabase(async (sql) => {
        if (process.stdout.isTTY && !json) {
          throw new Error(
            'the report is an HTML page: write it to a file, type table-metrics report > report.html',
          )
        }
        const report = await readPeriod(sql, { ...(await readDays(sql, since, until)), all })
        print(json ? report : reportPage(parseExactly<Period>(report), await inlineStyle()).trimEnd())
      }),
    )
}
