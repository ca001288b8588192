import type { Command } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { describeHistory, readHistory } from '../reading/alert_history.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { describeOpen, readAlerts } from '../reading/open_alerts.ts'
import { shownZone } from '../reading/time_zone.ts'
import { print } from '../terminal/output.ts'
import { addAcknowledgeCommand } from './alerts/acknowledge.ts'
import { addRulesCommand } from './alerts/rules.ts'
import { addSilenceCommand } from './alerts/silence.ts'
import { wholeNumber } from './arguments.ts'
import { check, checkOption } from './check.ts'
import { addAlertOptions, choiceOf, type TopOptions } from './choice.ts'

interface Options extends TopOptions {
  history?: true
  all?: true
  limit: number
  json?: true
  check?: true
}

export function addAlertsCommand(program: Command): void {
  program.enablePositionalOptions() // or alerts would take the options of its subcommands
  const alerts = addAlertOptions(program.command('alerts'))
    .enablePositionalOptions()
    .description('show what is strange: the open alerts, and since when')
    .option('--all', 'show each open alert, also where many are of one kind')
    .option('--history', 'show all that there have been, last opened first')
    .option('--limit <n>', 'how many of the history', wholeNumber(1000), 25)
    .option('--json', 'print the alerts as JSON')
    .addOption(checkOption())
    .addHelpText('after', '\nExample:\n  table-metrics alerts --history')
    .action(({ all, history, limit, json, check: isCheck, ...options }: Options) =>
      isCheck
        ? check('alerts')
        : withDatabase(async (sql) => {
            if (history) {
              const { json: logged, zone } = await readHistory(sql, limit, choiceOf(options))
              print(json ? logged : describeHistory(parseExactly(logged), limit, shownZone(zone)))
              return
            }
            const { json: open, groups, zone } = await readAlerts(sql, choiceOf(options))
            const shown = all ? open : groups
            print(json ? open : describeOpen(parseExactly(open), parseExactly(shown), shownZone(zone)))
          }),
    )
  addSilenceCommand(alerts)
  addAcknowledgeCommand(alerts)
  addRulesCommand(alerts)
}
