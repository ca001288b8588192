// Runs the suite on each supported major version, one after the other; or on those that MAJORS names.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fetchPostgres, versions } from './versions.ts'

const outcomes: { major: number; passed: number; failed: number }[] = []
const majors = process.env.MAJORS?.split(' ') ?? Object.keys(versions)
const files = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.test.ts'),
)

/**
 * What the server decides is tried on every version, every way to come to a count among it; other ways to die, which
 * take minutes, on 15 as well; programs, connections, pages and the package, to which a server is a server, on 18 only.
 */
function filesFor(major: number): string[] {
  const decidedByServer =
    /^functions|^(counted_beats_imported|ending_badly|hostile|installer_names|last_run_wins|left_out|midnight|online_names|rights|schema|settings|sources|strangers|strangers_in_our_place|views|grafana|serve.(questions|sessions)|dying.(install|uninstall|worker_rights|carry|hiding_sessions|maintained|other_servers|refuted_count))\.test/
  const programs =
    /^(commands|deploy|page|reading|terminal|command_line|connection|log|private_parts|search_path|storm_checker|serve.(authentication|events|http|localhost|openapi))|^dying.(addresses|bench|connecting|cron|db_commit|db_watch|embedded_server|hostile_path|hostile_text|package|prometheus|readme|serve\b|start|stubborn|worker_parent)/
  return files
    .filter((file) => major === 18 || (major === 15 ? !programs.test(file) : decidedByServer.test(file)))
    .map((file) => `test/${file}`)
}

for (const major of majors.map(Number) as (keyof typeof versions)[]) {
  console.log(`\nPostgreSQL ${versions[major]}`)
  const { stdout } = spawnSync(process.execPath, ['test/_support/run.ts', ...filesFor(major)], {
    env: { ...process.env, TEST_POSTGRES: fetchPostgres(major) },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: Number.POSITIVE_INFINITY,
  })
  process.stdout.write(stdout)
  const [, passed = '0', failed = '1'] = /^(\d+) passed, (\d+) failed$/m.exec(stdout) ?? []
  outcomes.push({ major, passed: Number(passed), failed: Number(failed) })
}

console.log()
for (const { major, passed, failed } of outcomes) {
  console.log(`PostgreSQL ${major}: ${passed} passed, ${failed} failed`)
}
const total = (key: 'passed' | 'failed') => outcomes.reduce((sum, outcome) => sum + outcome[key], 0)
console.log(`${total('passed')} passed, ${total('failed')} failed`)
if (total('failed') > 0) process.exitCode = 1
