import type { Command } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { describeAlerts, readAlerts } from '../reading/open_alerts.ts'
import { shownZone } from '../reading/time_zone.ts'
import { print } from '../terminal/output.ts'
import { check, checkOption } from './check.ts'

export function addAlertsCommand(program: Command): void {
  program
    .command('alerts')
    .description('show what is strange: the open alerts, and since when')
    .option('--json', 'print the alerts as JSON')
    .addOption(checkOption())
    .addHelpText('after', '\nExample:\n  table-metrics alerts')
    .action(({ json, check: isCheck }: { json?: true; check?: true }) =>
      isCheck
        ? check('alerts')
        : withDatabase(async (sql) => {
            const { json: alerts, zone } = await readAlerts(sql)
            print(json ? alerts : describeAlerts(parseExactly(alerts), shownZone(zone)))
          }),
    )
}
