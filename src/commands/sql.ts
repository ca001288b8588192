import type { Command } from 'commander'
import { snapshotTimeZone } from '../environment.ts'
import { installScript, uninstallScript } from '../install/install_script.ts'

export function addSqlCommand(program: Command): void {
  program
    .command('sql')
    .description('print the whole install as one script for psql, for those who keep their own migrations')
    .option('--uninstall', 'print the script that removes it, with all that it has kept')
    .addHelpText('after', '\nExample:\n  table-metrics sql | psql -v ON_ERROR_STOP=1 "$DATABASE_URL"')
    .action(async ({ uninstall }: { uninstall?: true }) => {
      process.stdout.write(await (uninstall ? uninstallScript() : installScript(snapshotTimeZone())))
    })
}
