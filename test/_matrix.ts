// Runs the whole suite on each supported major version, one after the other.
import { spawnSync } from 'node:child_process'
import { fetchPostgres, versions } from './_versions.ts'

const outcomes: { major: number; passed: number; failed: number }[] = []

for (const major of [14, 15, 16, 17, 18] as const) {
  console.log(`\nPostgreSQL ${versions[major]}`)
  const { stdout } = spawnSync(process.execPath, ['test/_run.ts', ...process.argv.slice(2)], {
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
