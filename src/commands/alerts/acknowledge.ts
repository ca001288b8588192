import { type Command, InvalidArgumentError } from 'commander'
import { withDatabase } from '../../connection/with_database.ts'
import { acknowledge, describeAcknowledged } from '../../reading/acknowledge.ts'
import { parseExactly } from '../../reading/exact_json.ts'
import { print } from '../../terminal/output.ts'

export function addAcknowledgeCommand(alerts: Command): void {
  alerts
    .command('ack')
    .description('say that you have taken an open alert on, and why: it counts no longer')
    .argument('<id>', 'its number, as table-metrics alerts shows it; run_late for one without', alertId)
    .argument('<why>', 'what you know about it')
    .option('--json', 'print the alert as JSON')
    .addHelpText('after', '\nExample:\n  table-metrics alerts ack 12 "moved to the archive"')
    .action((id: string, why: string, { json }: { json?: true }) =>
      withDatabase(async (sql) => {
        const alert = await acknowledge(sql, id === runLate ? null : id, why)
        print(json ? alert : describeAcknowledged(parseExactly(alert)))
      }),
    )
}

const runLate = 'run_late'

function alertId(value: string): string {
  if (value === runLate || /^[1-9]\d{0,17}$/.test(value)) return value
  throw new InvalidArgumentError(`saw ${value}, expected a number such as 12: type table-metrics alerts`)
}
