import type { Command } from 'commander'
import { databaseUrl, snapshotTimeZone } from '../environment.ts'
import { type MigrateResult, migrate } from '../install/migrate.ts'
import { humanStream } from '../terminal/output.ts'

type Options = { json?: true; keepOwner?: true }

export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .description(
      'install or update the schemas nms and nms_private; SNAPSHOT_TZ sets the business time zone of a first install',
    )
    .option('--keep-owner', 'leave both schemas to the installer, and make no roles')
    .option('--json', 'print the outcome as JSON')
    .addHelpText(
      'after',
      '\nIt creates the schemas nms, nms_private and graphile_migrate (which migrations have run) and, for an installer who may create\nroles, those of migrations/roles.sql.\n\nExample:\n  SNAPSHOT_TZ=Europe/Berlin table-metrics migrate',
    )
    .action(async ({ json, keepOwner }: Options) => {
      const timeZone = snapshotTimeZone()
      const result = await migrate(databaseUrl(), timeZone, { keepOwner: keepOwner === true })
      if (json) console.log(JSON.stringify(result))
      const human = humanStream(json)
      human.write(describeMigration(result))
      const { businessTimeZone } = result
      if (timeZone && timeZone.toLowerCase() !== businessTimeZone.toLowerCase()) {
        human.write(
          `SNAPSHOT_TZ=${timeZone} applies to a first install. To change the business time zone now:\n` +
            `  update nms.table_metrics_settings set business_time_zone = '${timeZone}';\n`,
        )
      }
    })
}

/** What a migration did, as lines for a person. */
export function describeMigration(result: MigrateResult): string {
  const { applied, created, owner, keptBecause, warnings, businessTimeZone } = result
  return [
    ...created.map((object) => `created ${object}`),
    applied.length > 0 ? `installed ${applied.join(', ')}` : 'already up to date',
    `schema nms belongs to ${owner}${keptBecause ? `: ${keptBecause}` : ''}`,
    ...warnings.map((warning) => `warning: ${warning}`),
    `business time zone: ${businessTimeZone}`,
    '',
  ].join('\n')
}
