// Runs the suite on each supported major version, one after the other; or on those that MAJORS names.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fetchPostgres, versions } from './_versions.ts'

const outcomes: { major: number; passed: number; failed: number }[] = []
const majors = process.env.MAJORS?.split(' ') ?? Object.keys(versions)
const files = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.test.ts'),
)

/** Ways to die take minutes, and the package has nothing to do with the server: not on every version. */
function filesFor(major: number): string[] {
  const passedOver = major === 18 ? /^$/ : major === 15 ? /^package/ : /^(package|dying)/
  return files.filter((file) => !passedOver.test(file)).map((file) => `test/${file}`)
}

for (const major of majors.map(Number) as (keyof typeof versions)[]) {
  console.log(`\nPostgreSQL ${versions[major]}`)
  const { stdout } = spawnSync(process.execPath, ['test/_run.ts', ...filesFor(major)], {
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
