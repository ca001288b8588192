import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { Result } from '../../bench/_measure.ts'
import { type ScenarioReport, scenarioReport } from '../../bench/_report.ts'
import type { Bar } from '../../bench/_scenario.ts'
import { run } from '../_support/process.ts'

const bench = fileURLToPath(new URL('../../bench/run.ts', import.meta.url))

test('the bench reads a long history, and prunes half of it without making a run wait', async (t) => {
  t.timeout(300_000)

  const { status, stdout, stderr } = await run(t, process.execPath, [
    bench,
    ...['--only', 'histories', '--rounds', '1', '--scale', '0.05', '--json'],
  ])

  t.is(status, 0, stderr)
  const { scenarios } = JSON.parse(stdout) as { scenarios: [ScenarioReport] }
  const [{ results, bars }] = scenarios
  const medians = Object.fromEntries(results.map(({ contestant, medians }) => [contestant, medians]))
  for (const query of [
    'latest',
    'payload of a day',
    'trend of 30 days',
    'comparing two days',
    'alerts after a run',
  ]) {
    const { first = Number.NaN, later = Number.NaN } = medians[query] ?? {}
    t.true(first > 0 && later > 0, `${query}: ${first}, ${later} ms`)
  }
  const pruning = medians['pruning half of it']
  t.true((pruning?.collections ?? 0) >= 1)
  t.is(pruning?.waits, 0, `a run waited for ${pruning?.waited} ms`)
  t.deepEqual(
    bars.map(({ contestant, rival, atMost }) => [contestant, rival, atMost]),
    [
      ['payload of a day', undefined, 1],
      ['payload of a day, 200 x 10,000', 'payload of a day, 200 x 1,000', 2],
      ['trend of 30 days', undefined, 1],
      ['trend of 30 days, 200 x 10,000', 'trend of 30 days, 200 x 1,000', 2],
      ['alerts after a run', undefined, 500],
      ['alerts of one table in ten', undefined, 500],
      ['pruning half of it', undefined, 0],
    ],
  )
})

const bars: [what: string, bar: Omit<Bar, 'contestant' | 'metric'>, seen: number, met: boolean][] = [
  ['at most so many milliseconds', { atMost: 3 }, 3, true],
  ['fewer milliseconds than that', { atMost: 2.9 }, 3, false],
  ['at least so many milliseconds', { atLeast: 3.1 }, 3, false],
  ['at most half of what a rival took', { rival: 'theirs', atMost: 0.5 }, 0.5, true],
  ['at most 0.4 of what a rival took', { rival: 'theirs', atMost: 0.4 }, 0.5, false],
  ['0.4 with noise', { rival: 'theirs', atMost: 0.4, noise: 0.25 }, 0.5, true],
]
for (const [what, bar, seen, met] of bars) {
  test(`a bar is the median of all rounds: ${what}`, (t) => {
    const scenario = {
      name: 'any',
      title: 'any',
      bars: [{ contestant: 'ours', metric: 'later' as const, ...bar }],
    }

    const report = scenarioReport(scenario, [measured('ours', [3, 90, 1]), measured('theirs', [6, 5, 7])])

    t.like(report.bars[0], { seen, met })
  })
}

function measured(contestant: string, times: number[]): Result {
  return { contestant, turns: times.map((later) => ({ values: { later } })) }
}
