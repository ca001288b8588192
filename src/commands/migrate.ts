import type { Command } from 'commander'
import { databaseUrl, snapshotTimeZone } from '../environment.ts'
import { migrate } from '../migrate.ts'
import { humanStream } from '../terminal/output.ts'

export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .description(
      'install or update the schema nms; SNAPSHOT_TZ sets the business time zone of a first install',
    )
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', '\nExample:\n  SNAPSHOT_TZ=Europe/Berlin table-metrics migrate')
    .action(async ({ json }: { json?: true }) => {
      const timeZone = snapshotTimeZone()
      const result = await migrate(databaseUrl(), timeZone)
      const { applied, businessTimeZone } = result
      if (json) console.log(JSON.stringify(result))
      const human = humanStream(json)
      human.write(applied.length > 0 ? `installed ${applied.join(', ')}\n` : 'already up to date\n')
      human.write(`business time zone: ${businessTimeZone}\n`)
      if (timeZone && timeZone.toLowerCase() !== businessTimeZone.toLowerCase()) {
        human.write(
          `SNAPSHOT_TZ=${timeZone} applies to a first install. To change the business time zone now:\n` +
            `  update nms.table_metrics_settings set business_time_zone = '${timeZone}';\n`,
        )
      }
    })
}
