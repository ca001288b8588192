// Lets the collector and its rivals count the same data in turn, on a server of its own with default settings.
import { parseArgs } from 'node:util'
import { connect } from '../src/database.ts'
import { type EmbeddedServer, startTemporaryServer } from '../src/embedded/server.ts'
import { migrate } from '../src/migrate.ts'
import { compete, timed } from './_measure.ts'
import { machine, print, printScenario, type ScenarioReport, scenarioReport } from './_report.ts'
import type { Scenario } from './_scenario.ts'
import { large } from './large.ts'
import { many } from './many.ts'
import { partitioned } from './partitioned.ts'

const usage = `npm run bench -- [options]
  --only many,large,partitioned   these scenarios
  --rounds 5                      how often each contestant counts
  --json                          the result on stdout as JSON
  --check                         exit status 1 when a bar is not met`

const { only, rounds, json, check } = options()
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
    `\nmedians of ${rounds} rounds; cold: in a fresh session, warm: again in the same one` +
      `\n${where.cores} cores (${where.cpu}), ${where.memoryGb} GB, PostgreSQL ${where.postgres} with default settings, Node ${where.node}`,
  )
  if (json) console.log(JSON.stringify({ machine: where, rounds, scenarios }, null, 2))
} finally {
  await server.stop()
}
if (check && !scenarios.every(({ ratios }) => ratios.every(({ met }) => met))) process.exitCode = 1

/** Each scenario has a database of its own: none slows another's catalogue. */
async function play({ url }: EmbeddedServer, scenario: Scenario): Promise<ScenarioReport> {
  const admin = connect(url('postgres'))
  const database = `bench_${scenario.name}`
  await admin`create database ${admin(database)}`
  await migrate(url(database))

  const sql = connect(url(database))
  const { milliseconds, result: contestants } = await timed(() => scenario.build(sql))
  await sql`checkpoint`
  await sql.end()
  print(`${scenario.name}: built in ${Math.round(milliseconds / 1000)} s, counting`)

  const results = await compete(url(database), rounds, contestants)
  await admin`drop database ${admin(database)} with (force)`
  await admin.end()
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
        only: { type: 'string', default: 'many,large,partitioned' },
        rounds: { type: 'string', default: '5' },
        json: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
      },
    })
    const rounds = Number(values.rounds)
    if (!Number.isInteger(rounds) || rounds < 1)
      throw new Error(`--rounds: saw ${values.rounds}, expected 1 or more`)
    return { ...values, rounds, only: values.only.split(',').map(scenarioNamed) }
  } catch (error) {
    print(`${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}

function scenarioNamed(name: string): Scenario {
  const found = [many, large, partitioned].find((scenario) => scenario.name === name)
  if (!found) throw new Error(`--only: saw ${name}, expected many, large or partitioned`)
  return found
}
