import { cpus, totalmem } from 'node:os'
import { median, type Result } from './_measure.ts'
import type { Scenario } from './_scenario.ts'

export type ScenarioReport = ReturnType<typeof scenarioReport>

/** Medians, ratios and bars of one scenario, ready for JSON. */
export function scenarioReport({ name, title, bars, showMemory }: Scenario, results: Result[]) {
  const times = results.map(({ contestant, cold, warm, memory, rows }) => ({
    contestant,
    rows: String(rows),
    coldMs: round(median(cold), 1),
    warmMs: round(median(warm), 1),
    allColdMs: cold.map((value) => round(value, 1)),
    allWarmMs: warm.map((value) => round(value, 1)),
    ...(showMemory && {
      memoryMb: round(median(memory.map(({ contextsMb }) => contextsMb)), 0),
      residentMb: round(median(memory.map(({ residentMb }) => residentMb)), 0),
    }),
  }))
  const [collector] = results
  const ratios = bars.map(({ rival, temperature, atMost }) => {
    const against = results.find(({ contestant }) => contestant === rival)
    if (!collector || !against) throw new Error(`${name} has a bar for ${rival}, who does not compete`)
    const ratio = round(median(collector[temperature]) / median(against[temperature]), 3)
    return { rival, temperature, ratio, atMost, met: ratio <= atMost }
  })
  return { name, title, times, ratios }
}

export function printScenario({ name, title, times, ratios }: ScenarioReport): void {
  print(`\n${name}: ${title}`)
  for (const { contestant, coldMs, warmMs, memoryMb, residentMb } of times) {
    const memory =
      memoryMb === undefined ? '' : `   memory ${megabytes(memoryMb)}, resident ${megabytes(residentMb)}`
    print(`  ${contestant.padEnd(22)} cold ${milliseconds(coldMs)}   warm ${milliseconds(warmMs)}${memory}`)
  }
  for (const { rival, temperature, ratio, atMost, met } of ratios) {
    const bar = `bar ${atMost.toFixed(2)}   ${met ? 'met' : 'NOT MET'}`
    print(`  ${`/ ${rival}`.padEnd(22)} ${temperature} ${ratio.toFixed(3).padStart(9)}      ${bar}`)
  }
}

export function machine(serverVersion: string) {
  const cores = cpus()
  return {
    cores: cores.length,
    cpu: cores[0]?.model.trim() ?? 'unknown',
    memoryGb: round(totalmem() / 2 ** 30, 0),
    postgres: serverVersion,
    node: process.versions.node,
  }
}

/** Everything for people goes to stderr: stdout is for --json. */
export function print(line: string): void {
  process.stderr.write(`${line}\n`)
}

function milliseconds(value: number): string {
  return `${value.toFixed(value < 100 ? 1 : 0).padStart(6)} ms`
}

function megabytes(value: number | undefined): string {
  return `${String(value).padStart(4)} MB`
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
