import { cpus, totalmem } from 'node:os'
import { median, type Result, values } from './_measure.ts'
import { type Metric, metrics, metricText, rounded } from './_metrics.ts'
import type { Bar, Scenario } from './_scenario.ts'

export type ScenarioReport = ReturnType<typeof scenarioReport>

/** Medians and bars of one scenario, ready for JSON. */
export function scenarioReport({ name, title, bars }: Omit<Scenario, 'build'>, results: Result[]) {
  return { name, title, results: results.map(resultReport), bars: bars.map((bar) => barReport(bar, results)) }
}

function resultReport(result: Result) {
  const measured = (Object.keys(metrics) as Metric[]).filter((metric) => values(result, metric).length > 0)
  const each = <T>(value: (metric: Metric) => T) =>
    Object.fromEntries(measured.map((metric) => [metric, value(metric)])) as Partial<Record<Metric, T>>
  const rows = result.turns[0]?.rows
  return {
    contestant: result.contestant,
    ...(rows !== undefined && { rows: String(rows) }),
    medians: each((metric) => rounded(metric, median(values(result, metric)))),
    all: each((metric) => values(result, metric).map((value) => rounded(metric, value))),
  }
}

function barReport({ contestant, rival, metric, atMost, atLeast, noise = 0 }: Bar, results: Result[]) {
  const medianOf = (name: string) => {
    const result = results.find((candidate) => candidate.contestant === name)
    if (!result) throw new Error(`there is a bar for ${name}, who does not compete`)
    return median(values(result, metric))
  }
  const seen = Number((medianOf(contestant) / (rival === undefined ? 1 : medianOf(rival))).toFixed(3))
  const met = atMost === undefined ? seen >= (atLeast ?? 0) * (1 - noise) : seen <= atMost * (1 + noise)
  return { contestant, rival, metric, seen, atMost, atLeast, noise, met }
}

export function printScenario({ name, title, results, bars }: ScenarioReport): void {
  print(`\n${name}: ${title}`)
  const width = Math.max(22, ...results.map(({ contestant }) => contestant.length))
  for (const { contestant, medians } of results) {
    const texts = Object.entries(medians).map(([metric, value]) => metricText(metric as Metric, value))
    print(`  ${contestant.padEnd(width)} ${texts.join('   ')}`)
  }
  for (const { contestant, rival, metric, seen, atMost, atLeast, noise, met } of bars) {
    const bar = atMost === undefined ? `at least ${atLeast?.toFixed(2)}` : `at most ${atMost.toFixed(2)}`
    const who = rival === undefined ? contestant : `${contestant} / ${rival}`
    const allowance = noise > 0 ? ` (noise ${noise.toFixed(2)})` : ''
    print(
      `  ${who.padEnd(38)} ${metric.padEnd(10)} ${seen.toFixed(3)}   ` +
        `bar ${bar}${allowance}   ${met ? 'met' : 'NOT MET'}`,
    )
  }
}

export function machine(serverVersion: string) {
  const cores = cpus()
  return {
    cores: cores.length,
    cpu: cores[0]?.model.trim() ?? 'unknown',
    memoryGb: Number((totalmem() / 2 ** 30).toFixed(0)),
    postgres: serverVersion,
    node: process.versions.node,
  }
}

/** Everything for people goes to stderr: stdout is for --json. */
export function print(line: string): void {
  process.stderr.write(`${line}\n`)
}
