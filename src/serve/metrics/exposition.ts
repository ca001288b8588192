import { families, type MetricsReport, type Sample } from './families.ts'

/** Writes what the server reports as metrics. Numbers stand there as the server wrote them. */
export function expose(report: MetricsReport, { isOpenMetrics }: { isOpenMetrics: boolean }): string {
  const lines = families.flatMap(({ name, help, unit, samples }) => {
    const found = samples(report)
    if (found.length === 0) return []
    return [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} gauge`,
      ...(isOpenMetrics && unit ? [`# UNIT ${name} ${unit}`] : []),
      ...found.map((sample) => `${name}{${labels(sample)}} ${sample.value}`),
    ]
  })
  if (isOpenMetrics) lines.push('# EOF')
  return lines.map((line) => `${line}\n`).join('')
}

function labels(sample: Sample): string {
  return Object.entries(sample.labels)
    .map(
      ([name, value]) =>
        `${name}="${value.replaceAll(/[\\"\n]/g, (character) => escaped[character] as string)}"`,
    )
    .join(',')
}

const escaped: Record<string, string> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }
