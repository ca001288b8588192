// Lets the collector and its rivals count the same data in turn, on a server of its own with default settings.
import { parseArgs } from 'node:util'
import { type EmbeddedServer, startTemporaryServer } from '../demo/embedded/server.ts'
import { migrate } from '../src/install/migrate.ts'
import { connect } from './_connect.ts'
import { compete, timed } from './_measure.ts'
import { machine, print, printScenario, type ScenarioReport, scenarioReport } from './_report.ts'
import type { Scenario } from './_scenario.ts'
import { alerts } from './alerts.ts'
import { change, unchanged } from './change.ts'
import { estimate } from './estimate.ts'
import { histories } from './histories.ts'
import { large } from './large.ts'
import { load } from './load.ts'
import { maintained } from './maintained.ts'
import { many } from './many.ts'
import { mixed } from './mixed.ts'
import { partitioned } from './partitioned.ts'
import { serve } from './serve.ts'
import { shards } from './shards.ts'

const all = [
  many,
  large,
  change,
  unchanged,
  estimate,
  partitioned,
  mixed,
  shards,
  load,
  histories,
  alerts,
  serve,
  maintained,
]
const names = all.map(({ name }) => name).join(',')
const usage = `npm run bench -- [options]
  --only ${names}
                these scenarios
  --rounds 5    how often each contestant has its turn
  --scale 1     how much data, as part of what the titles say; the bars are meant for 1
  --json        the result on stdout as JSON
  --check       exit status 1 when a bar is not met`

const { only, rounds, scale, json, check } = options()
const server = await startTemporaryServer()
const scenarios: ScenarioReport[] = []
try {
  for (const scenario of only) {
    const report = await play(server, scenario)
    printScenario(report)
    scenarios.push(report)
  }
  const where = machine(await serverVersion(server))
  print(
    `\nmedians of ${rounds} rounds${scale === 1 ? '' : ` with ${scale} of the data`}` +
      '\ncold: in a fresh session, warm: again in the same one, whole: one collection, connecting included, with the processor time of the server' +
      '\nfirst and later: a query in a fresh session, and the median of twenty more, by the clock of the server' +
      `\n${where.cores} cores (${where.cpu}), ${where.memoryGb} GB, PostgreSQL ${where.postgres} with default settings, Node ${where.node}`,
  )
  if (json) console.log(JSON.stringify({ machine: where, rounds, scale, scenarios }, null, 2))
} finally {
  await server.stop()
}
if (check && !scenarios.every(({ bars }) => bars.every(({ met }) => met))) process.exitCode = 1

/** Each scenario has a database of its own: none slows another's catalogue. */
async function play({ url, pid }: EmbeddedServer, scenario: Scenario): Promise<ScenarioReport> {
  const admin = connect(url('postgres'))
  const database = `bench_${scenario.name}`
  await admin`create database ${admin(database)}`
  await migrate(url(database))

  const sql = connect(url(database))
  const { milliseconds, result: contestants } = await timed(() => scenario.build(sql, scale))
  await sql`checkpoint`
  await sql.end()
  print(`${scenario.name}: built in ${Math.round(milliseconds / 1000)} s, counting`)

  const results = await compete({ url: url(database), postmaster: pid }, rounds, contestants)
  await admin`drop database ${admin(database)} with (force)`
  await admin.end()
  await scenario.end?.()
  return scenarioReport(scenario, results)
}

async function serverVersion({ url }: EmbeddedServer): Promise<string> {
  const sql = connect(url('postgres'))
  const [row] = await sql<[{ version: string }]>`select current_setting('server_version') as version`
  await sql.end()
  return row.version
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', default: names },
        rounds: { type: 'string', default: '5' },
        scale: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
      },
    })
    const rounds = Number(values.rounds)
    if (!Number.isInteger(rounds) || rounds < 1)
      throw new Error(`--rounds: saw ${values.rounds}, expected 1 or more`)
    const scale = Number(values.scale)
    if (!(scale >= 0.05 && scale <= 1))
      throw new Error(`--scale: saw ${values.scale}, expected from 0.05 to 1`)
    return { ...values, rounds, scale, only: values.only.split(',').map(scenarioNamed) }
  } catch (error) {
    print(`${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}

function scenarioNamed(name: string): Scenario {
  const found = all.find((scenario) => scenario.name === name)
  if (!found) throw new Error(`--only: saw ${name}, expected any of ${names}`)
  return found
}
