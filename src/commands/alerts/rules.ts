import type { Command } from 'commander'
import { withDatabase } from '../../connection/with_database.ts'
import { describeDecisions, describeRules, readRules } from '../../reading/alert_rules.ts'
import { parseExactly } from '../../reading/exact_json.ts'
import { readKnownTable } from '../../reading/known_table.ts'
import { print } from '../../terminal/output.ts'

export function addRulesCommand(alerts: Command): void {
  alerts
    .command('rules')
    .description('show the rules and silences, or what they decide about one table')
    .argument('[schema.table]', 'a table, spelled as the catalogue does or quoted as in SQL')
    .option('--json', 'print them as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics alerts rules sales.orders')
    .action((name: string | undefined, { json }: { json?: true }) =>
      withDatabase(async (sql) => {
        const report = await readRules(sql, name === undefined ? undefined : await readKnownTable(sql, name))
        if (json) print(report)
        else if (name === undefined) print(describeRules(parseExactly(report)))
        else print(describeDecisions(parseExactly(report)))
      }),
    )
}
