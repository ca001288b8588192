import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Command, Option } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { exportHistory, type Format, formats } from '../reading/export.ts'
import { readKnownTable } from '../reading/known_table.ts'
import { day, readDay } from '../reading/point.ts'
import { stopAtClosedPipe } from '../terminal/output.ts'

interface Options {
  format: Format
  json?: true
  since?: string
  table?: string
}

export function addExportCommand(program: Command): void {
  program
    .command('export')
    .description('print every measurement of the history, one line each, with exact counts and times in UTC')
    .addOption(new Option('--format <format>', 'how the lines are written').choices(formats).default('csv'))
    .option('--since <date>', 'only business days from this one on', day)
    .option('--table <schema.table>', 'only that table')
    .option('--json', 'the same as --format ndjson')
    .addHelpText('after', '\nExample:\n  table-metrics export --format csv --since 2026-11-01 > history.csv')
    .action(({ format, json, since, table }: Options) =>
      withDatabase(async (sql) => {
        const selection = {
          since: since && (await readDay(sql, since)),
          table: table ? await readKnownTable(sql, table) : undefined,
        }
        stopAtClosedPipe()
        await sql.begin((transaction) => {
          const lines = Readable.from(exportHistory(transaction, json ? 'ndjson' : format, selection))
          return pipeline(lines, process.stdout, { end: false })
        })
      }),
    )
}
