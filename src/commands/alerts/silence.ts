import type { Command } from 'commander'
import { withDatabase } from '../../connection/with_database.ts'
import { describeSilence, silence } from '../../reading/alert_silence.ts'
import { parseExactly } from '../../reading/exact_json.ts'
import { print } from '../../terminal/output.ts'

interface Options {
  until?: string
  kind?: string
  off?: true
  json?: true
}

export function addSilenceCommand(alerts: Command): void {
  alerts
    .command('silence')
    .description('hear nothing of a table until a day')
    .argument('<table>', 'schema.table, schema.* for a whole schema, * for all')
    .argument('[why]', 'for whoever reads the rules')
    .option('--until <day>', 'a day to come such as 2030-12-01, or a time from today such as 7d or 2w')
    .option('--kind <kind>', 'only this kind of alert, such as drop')
    .option('--off', 'end the silence')
    .option('--json', 'print what holds now as JSON')
    .addHelpText(
      'after',
      `
Example:
  table-metrics alerts silence sales.orders --until 2w "moved to the archive"
  table-metrics alerts silence sales.orders --off`,
    )
    .action((named: string, why: string | undefined, { until, kind, off, json }: Options) => {
      if ((until === undefined) === (off === undefined)) {
        throw new Error('expected one of --until and --off: type for example --until 7d')
      }
      return withDatabase(async (sql) => {
        const report = await silence(sql, { named, until, kind, why })
        print(json ? report : describeSilence(named, parseExactly(report)))
      })
    })
}
