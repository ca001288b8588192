import ava from 'ava'
import { Command, Option } from 'commander'
import { completionScript, shells } from '../../src/terminal/completion.ts'
import { failsClearly, run, tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

for (const [typed, expected] of [
  [['dai'], ['daily']],
  [['di'], ['diff']],
  [['daily', '--j'], ['--json']],
  [
    ['diff', '--fail-on', ''],
    ['missing', 'drop', 'any'],
  ],
  [['diff', '1', '2', '--fail-on', 'm'], ['missing']],
  [['export', '--format', 'n'], ['ndjson']],
  [['completion', 'z'], ['zsh']],
] as const) {
  test(`bash completes "table-metrics ${typed.join(' ')}" to ${expected.join(', ')}`, async (t) => {
    const { stdout: script } = await tableMetrics(t, '', ['completion', 'bash'])
    const words = ['table-metrics', ...typed].map((word) => `'${word}'`).join(' ')

    const { stdout, stderr } = await run(t, 'bash', [
      '-c',
      `${script}\nCOMP_WORDS=(${words}); COMP_CWORD=${typed.length}; _table_metrics; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ])

    t.is(stderr, '')
    t.deepEqual(stdout.trimEnd().split('\n'), expected)
  })
}

test('what a program has, its completion has, in each shell', (t) => {
  const program = new Command('tool')
  program
    .command('fetch')
    .description("get what isn't here: all of it")
    .option('--all')
    .addOption(new Option('--from <where>', 'from where').choices(['near', 'far']))
  program.command('secret', { hidden: true })

  for (const shell of shells) {
    const script = completionScript(program, shell)

    for (const word of ['fetch', 'all', 'from', 'near', 'far'])
      t.regex(script, new RegExp(`\\b${word}\\b`), shell)
    t.notRegex(script, /secret/)
  }
  t.true(completionScript(program, 'fish').includes("-d 'get what isn'\\''t here: all of it'"))
})

test('an unknown shell gives one clear message', async (t) => {
  failsClearly(t, await tableMetrics(t, '', ['completion', 'tcsh']), 'tcsh', 'bash', 'zsh', 'fish')
})
