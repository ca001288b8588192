import type { Command } from 'commander'
import type { Sql } from '../connection/database.ts'
import { withDatabase } from '../connection/with_database.ts'
import { databaseUrl } from '../environment.ts'
import { expectOwnState } from '../install/state.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { describeStatus, readStatus } from '../reading/status.ts'
import { ask } from '../schedule/open_job.ts'
import { interruption } from '../terminal/interruption.ts'
import { print } from '../terminal/output.ts'
import { watch } from '../terminal/watch.ts'
import { wholeNumber } from './arguments.ts'
import { check, checkOption } from './check.ts'
import { addAlertOptions, choiceOf, type TopOptions } from './choice.ts'

interface Options extends TopOptions {
  runs: number
  watch?: number | true
  json?: true
  check?: true
}

export function addStatusCommand(program: Command): void {
  addAlertOptions(program.command('status'))
    .description('tell whether today was counted, how the last runs went, and which alerts are open')
    .option('--runs <n>', 'how many runs', wholeNumber(999), 10)
    .option('--watch [seconds]', 'show it again every so many seconds, 5 unless given', wholeNumber(86_400))
    .option('--json', 'print it as JSON')
    .addOption(checkOption())
    .addHelpText('after', '\nExample:\n  table-metrics status --runs 20\n  table-metrics status --watch')
    .action(({ runs, watch: seconds, json, check: isCheck, ...options }: Options) => {
      if (isCheck) return check('status')
      const look = async (sql: Sql) => {
        const report = await readStatus(sql, runs, choiceOf(options))
        return json ? report : describeStatus(parseExactly(report))
      }
      if (seconds === undefined) return withDatabase(async (sql) => print(await look(sql)))
      return watchDatabase(seconds === true ? 5 : seconds, look)
    })
}

/** A connection for each look: one that was there before may have died meanwhile. */
function watchDatabase(seconds: number, look: (sql: Sql) => Promise<string>): Promise<void> {
  const url = databaseUrl()
  const first = (sql: Sql) => expectOwnState(sql).then(() => look(sql))
  return watch({ seconds, signal: interruption(), look: (signal) => ask(url, signal, first) })
}
