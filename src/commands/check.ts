import { type Command, CommanderError, Option } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { type Checked, describeCheck, describeUnknown, readCheck } from '../reading/check.ts'
import { print } from '../terminal/output.ts'

const unknown = 3
const longest = 9_000 // milliseconds: a monitor ends what takes ten seconds, and says so less well

/** Exit status and one line for a monitor, in place of what a command prints. */
export const checkOption = () =>
  new Option(
    '--check',
    'for a monitor such as Nagios: one line, and exit status 0 (OK), 1 (WARNING), 2 (CRITICAL) or 3 (UNKNOWN)',
  ).conflicts(['json', 'watch', 'history', 'schema', 'like', 'top'])

/** Checks, and prints one line. */
export function check(what: Checked): Promise<void> {
  return withDatabase(async (sql) => {
    const report = await readCheck(sql, what)
    print(describeCheck(report))
    process.exitCode = Number(report.exit_status)
  })
}

/** True when a monitor asks: whatever goes wrong then is UNKNOWN. */
export const isCheck = ([command = '', ...options]: string[]) =>
  (command === 'status' || command === 'alerts') && options.includes('--check')

/** Runs a program for a monitor: one line on standard output within ten seconds, whatever happens. */
export async function runForMonitor(program: Command): Promise<void> {
  const end = (reason: string) => {
    print(describeUnknown(reason))
    process.exit(unknown)
  }
  process.once('uncaughtException', (error) => end(error.message))
  setTimeout(() => end(`no answer within ${longest / 1000} s`), longest).unref()
  let said = ''
  const listen = (command: Command) => {
    command.exitOverride().configureOutput({
      writeErr: (text) => {
        said += text
      },
    })
    command.commands.forEach(listen)
  }
  listen(program)
  try {
    await program.parseAsync()
    // What a dead link keeps open must not keep this process.
    setTimeout(() => process.exit(), 500).unref()
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return
    const { message, code } = error as Error & { code?: string }
    end(said || message || String(code))
  }
}
