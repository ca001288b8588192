import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { run } from '../_support/process.ts'

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(join('src', file), 'utf8'))
  .join('\n')

/** Asserts that `table-metrics` knows a command, and each of its flags, and that something reads each variable. */
export async function expectKnown(t: ExecutionContext, args: string[], variables: string[]): Promise<void> {
  const [command = '', ...rest] = args
  const { status, stdout } = await run(t, process.execPath, ['src/cli.ts', command, '--help'])
  t.is(status, 0, command)
  t.true(stdout.startsWith(`Usage: table-metrics ${command} `), command)
  for (const flag of rest.filter((arg) => arg.startsWith('--'))) {
    t.true(new RegExp(`^  ${flag}\\b`, 'm').test(stdout), `${command} has no ${flag}`)
  }
  for (const name of variables) {
    t.true(new RegExp(`\\b${name}\\b`).test(sources), `nobody reads ${name}`)
  }
}
