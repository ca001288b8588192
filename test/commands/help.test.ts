import ava from 'ava'
import { tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

for (const command of [
  'status',
  'daily',
  'trend',
  'forecast',
  'growth',
  'diff',
  'alerts',
  'rebuild',
  'prune',
  'report',
  'export',
  'completion',
]) {
  test(`${command} --help has an example`, async (t) => {
    const { status, stdout } = await tableMetrics(t, '', [command, '--help'])

    t.is(status, 0)
    t.regex(stdout, new RegExp(`^Examples?:\\n.*table-metrics ${command}`, 'm'))
  })
}
