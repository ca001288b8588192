import type { Command } from 'commander'
import { snapshotTimeZone } from '../environment.ts'
import { installScript } from '../install/install_script.ts'

export function addSqlCommand(program: Command): void {
  program
    .command('sql')
    .description('print the whole install as one script for psql, for those who keep their own migrations')
    .addHelpText('after', '\nExample:\n  table-metrics sql | psql -v ON_ERROR_STOP=1 "$DATABASE_URL"')
    .action(async () => {
      process.stdout.write(await installScript(snapshotTimeZone()))
    })
}
