import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { parseExactly } from '../../../src/reading/exact_json.ts'
import { expose } from '../../../src/serve/metrics/exposition.ts'
import { families, type MetricsReport, mostSchemas } from '../../../src/serve/metrics/families.ts'
import { createDatabase, type Sql } from '../../_support/database.ts'
import { daysAgo, writeRuns } from '../../_support/history.ts'

const hostile = ['quo"te', 'back\\slash', 'new\nline', 'Ünïcødé 表', '{a="b"} 7', '# EOF', '\\n', '%00 ']
const huge = '9007199254740993'

/** What the server reports of a database whose tables all have hostile names. */
async function hostileReport(t: ExecutionContext): Promise<MetricsReport> {
  const { sql } = await createDatabase(t)
  const counts = Object.fromEntries(hostile.map((name, n) => [`${name}.${name}`, n === 0 ? huge : n]))
  const last = await writeRuns(sql, [{ day: 0, counts }], await daysAgo(sql, 0))
  await sql`select nms.record_alerts(${last})`
  return ask(sql, [...hostile.map((name) => `${name}.${name}`), 'ty"po\\\n'])
}

async function ask(sql: Sql, tables: string[]): Promise<MetricsReport> {
  const [row] = await sql<[{ json: string }]>`select nms.metrics_report(${tables})::text as json`
  return parseExactly(row.json)
}

/** Samples as a scraper reads them back: the value by name and labels. */
function read(exposition: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const line of exposition.split('\n')) {
    if (line.startsWith('#') || line === '') continue
    const [, name, labels = '', value = ''] =
      /^(\w+)\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\} ([\d.]+)$/.exec(line) ?? []
    if (!name) throw new Error(`not a sample: ${line}`)
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, quoted = '']) => [
      label,
      quoted.replaceAll(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character)),
    ])
    found.set(JSON.stringify([name, Object.fromEntries(pairs)]), value)
  }
  return found
}

test('names with quotes, backslashes and line ends are read back as they are, in both formats', async (t) => {
  const report = await hostileReport(t)

  for (const isOpenMetrics of [false, true]) {
    const samples = read(expose(report, { isOpenMetrics }))

    hostile.forEach((name, n) => {
      const labels = { datname: report.datname, schemaname: name }
      const rows = n === 0 ? huge : String(n)
      t.is(samples.get(JSON.stringify(['nms_schema_rows', labels])), rows)
      t.is(samples.get(JSON.stringify(['nms_table_rows', { ...labels, relname: name }])), rows)
    })
    const missing = { datname: report.datname, listed: 'ty"po\\\n' }
    t.is(samples.get(JSON.stringify(['nms_listed_table_missing', missing])), '1')
    const sum = (BigInt(huge) + BigInt((hostile.length * (hostile.length - 1)) / 2)).toString()
    t.is(samples.get(JSON.stringify(['nms_database_rows', { datname: report.datname }])), sum)
  }
})

test('an estimate stands between its bounds, and a table that was counted has none', async (t) => {
  const { sql, name: datname } = await createDatabase(t)
  const counts = {
    'public.events': { rows: 900, method: 'estimate', low: 800, high: 1100, bytes: { table: 40, index: 2 } },
    'public.orders': 7,
  } as const
  await writeRuns(sql, [{ day: 0, counts }], await daysAgo(sql, 0))

  const samples = read(expose(await ask(sql, Object.keys(counts)), { isOpenMetrics: true }))

  const of = (name: string, labels: object = {}) =>
    samples.get(JSON.stringify([name, { datname, ...labels }]))
  const events = { schemaname: 'public', relname: 'events' }
  t.deepEqual(
    ['nms_table_low_rows', 'nms_table_rows', 'nms_table_high_rows', 'nms_table_size_bytes'].map((name) => [
      of(name, events),
      of(name, { ...events, relname: 'orders' }),
    ]),
    [
      ['800', undefined],
      ['900', '7'],
      ['1100', undefined],
      ['42', undefined],
    ],
  )
  t.is(of('nms_database_estimated_rows'), '900')
  t.is(of('nms_database_size_bytes'), '42')
  t.is(of('nms_database_tables_by_method', { method: 'estimate' }), '1')
  t.is(of('nms_database_tables_by_method', { method: 'exact' }), '1')
})

test('what there is not has no sample, never 0, and no heading', async (t) => {
  const { sql } = await createDatabase(t)

  const names = [
    ...expose(await ask(sql, []), { isOpenMetrics: false }).matchAll(/^(# TYPE )?(\w+)\b/gm),
  ].map(([, , name]) => name)

  t.deepEqual([...new Set(names)].sort(), ['nms_last_success_timestamp_seconds', 'nms_open_alerts'])
})

test('OpenMetrics ends with EOF and names units that end the name; the text of Prometheus has neither', async (t) => {
  const report = await hostileReport(t)
  const open = expose(report, { isOpenMetrics: true })
  const text = expose(report, { isOpenMetrics: false })

  t.regex(open, /\d\n# EOF\n$/)
  t.is(open.match(/^# EOF$/gm)?.length, 1)
  t.notRegex(text, /^# (EOF|UNIT)/m)
  const units = [...open.matchAll(/^# UNIT (\S+) (\S+)$/gm)]
  t.not(units.length, 0)
  for (const [, name = '', unit = ''] of units) t.true(name.endsWith(`_${unit}`), name)
  // Whatever format: what it says is the same.
  t.deepEqual(read(open), read(text))
})

test('no help has what the formats escape in different ways', (t) => {
  for (const { name, help } of families) t.notRegex(help, /[\\"\n]/, name)
})

test('more schemas than can be watched have no series rather than some', async (t) => {
  const report = await hostileReport(t)
  const schemas = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ schemaname: `s${n}`, rows: '1' }))
  const series = (count: number) =>
    expose({ ...report, schema_rows: schemas(count) }, { isOpenMetrics: false }).match(/^nms_schema_rows/gm)
      ?.length

  t.is(series(mostSchemas), mostSchemas)
  t.is(series(mostSchemas + 1), undefined)
})

test('docs/monitoring.md names each metric with its labels, each alert rule and nothing else', async (t) => {
  const project = new URL('../../../', import.meta.url)
  const [page, rules] = await Promise.all(
    ['docs/monitoring.md', 'prometheus/alerts.yml'].map((file) => readFile(new URL(file, project), 'utf8')),
  )
  const report = await hostileReport(t)
  const documented = [...(page as string).matchAll(/`(nms_\w+)(?:\{([\w,]+)\})?`/g)].map(
    ([, name, labels = '']) => [name, ...labels.split(',').filter(Boolean)],
  )

  t.deepEqual(
    documented,
    families.map(({ name, samples }) => [
      name,
      ...Object.keys(samples(report)[0]?.labels ?? {}).filter((label) => label !== 'datname'),
    ]),
  )
  t.deepEqual(
    [...(page as string).matchAll(/`(TableMetrics\w+)`/g)].map(([, name]) => name).sort(),
    [...(rules as string).matchAll(/- alert: (\w+)/g)].map(([, name]) => name).sort(),
  )
})
