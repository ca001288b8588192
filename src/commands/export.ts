import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Command, Option } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { exportHistory, type Format, formats } from '../reading/export.ts'
import { readKnownSchemas, readKnownTable } from '../reading/known_table.ts'
import { day, readDays } from '../reading/point.ts'
import { stopAtClosedPipe } from '../terminal/output.ts'
import { addNameOptions, type NameOptions } from './choice.ts'

interface Options extends NameOptions {
  format: Format
  json?: true
  since?: string
  until?: string
  table?: string
}

export function addExportCommand(program: Command): void {
  addNameOptions(program.command('export'))
    .description('print every measurement of the history, one line each, with exact counts and times in UTC')
    .addOption(new Option('--format <format>', 'how the lines are written').choices(formats).default('csv'))
    .option('--since <day>', 'only business days from this one on, such as 2026-11-01, 2026-11 or 1w', day)
    .option('--until <day>', 'only business days up to this one', day)
    .option('--table <schema.table>', 'only that table')
    .option('--json', 'the same as --format ndjson')
    .addHelpText(
      'after',
      '\nExample:\n  table-metrics export --format csv --since 2026-10 --until 2026-10 > october.csv',
    )
    .action(({ format, json, since, until, table, schema, like }: Options) =>
      withDatabase(async (sql) => {
        const selection = {
          ...(await readDays(sql, since, until)),
          schemas: await readKnownSchemas(sql, schema),
          like,
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
