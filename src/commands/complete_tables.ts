import type { Command } from 'commander'
import { connect } from '../connection/database.ts'
import { databaseUrl } from '../environment.ts'
import { tablesCommand } from '../terminal/completion.ts'
import { print } from '../terminal/output.ts'
import { visible } from '../terminal/visible.ts'

/** How long a shell waits for names, in milliseconds. */
const patience = 2_000

/** What the scripts of `completion` call while somebody types: it answers soon, or says nothing. */
export function addCompleteTablesCommand(program: Command): void {
  program
    .command(tablesCommand, { hidden: true })
    .argument('[beginning]', 'what has been typed', '')
    .action(async (beginning: string) => {
      setTimeout(() => process.exit(), patience).unref()
      // Somebody types: there is no place for an error.
      const names = await readNames(beginning).catch(() => [])
      if (names.length > 0) print(names.join('\n'))
    })
}

/** Names that a line can hold as they are. */
async function readNames(beginning: string): Promise<string[]> {
  const sql = connect(databaseUrl(), { connectTimeout: 2 })
  try {
    const rows = await sql<{ name: string }[]>`select name from nms.complete_table(${beginning}) as name`
    return rows.map(({ name }) => name).filter((name) => visible(name) === name)
  } finally {
    await sql.end({ timeout: 0 })
  }
}
