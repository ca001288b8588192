// The dashboards as files, and what each of their queries returns to a login that may read and nothing else.

import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import type postgres from 'postgres'
import { parse } from 'yaml'
import type { Sql } from './_support/database.ts'
import {
  type Dashboard,
  expandMacros,
  grafanaFolder,
  interpolate,
  type Panel,
  readDashboards,
  type Target,
} from './_support/grafana.ts'
import { daysAgo, writeRuns } from './_support/history.ts'
import { rebuildSnapshots } from './_support/reader.ts'
import { startOwnServer } from './_support/server.ts'

const dashboards = await readDashboards()
const server = await startOwnServer()
test.after.always(server.remove)
test.before(server.addRoles)

/** As Grafana writes a variable. */
const braced = (name: string) => `\${${name}}`

const hostile = [
  'orders',
  "O'Hara; drop table x --",
  '"quoted"',
  'back\\slash',
  'new\nline',
  '$__timeFrom() or $__timeTo()',
  '$unknown(macro)',
  `${braced('datasource')} $schema ${braced('table:sqlstring')}`,
  'a,b;c',
  'Ünïcødé 表',
  '%s %00',
]

const day = 24 * 60 * 60 * 1000
const range = { from: new Date(Date.now() - 40 * day), to: new Date(Date.now() + day) }
const oids = { timestamptz: 1184, numbers: [20, 21, 23, 700, 701, 1700], text: 25 }

type Rows = postgres.RowList<Record<string, unknown>[]>

/** A database, and a login for Grafana that may read and nothing else. */
async function createReader(t: ExecutionContext) {
  const db = await server.createDatabase(t)
  const login = await db.createRole('in role table_metrics_reader')
  await db.sql.unsafe(`
    alter role ${login.name} set search_path = '';
    alter role ${login.name} set default_transaction_read_only = on;
  `)
  return { sql: db.sql, reader: login.connect() }
}

/**
 * Twenty days, in which table n of the hostile ones has 100 * (n + 1) rows and one more each day. On the fifth day
 * the run failed, on the sixth the first table was left out; today the first one is alerted about.
 */
async function createHistory(t: ExecutionContext) {
  const { sql, reader } = await createReader(t)
  const counts = (day: number) =>
    Object.fromEntries(hostile.map((name, n) => [`${name}.${name}`, 100 * (n + 1) + day]))
  const runs = Array.from({ length: 20 }, (_, day) => {
    const counted = counts(day)
    if (day === 5) return { day, status: 'FAILED' as const, counts: { 'orders.orders': null } }
    if (day !== 6) return { day, counts: counted }
    const { 'orders.orders': _left, ...others } = counted
    return { day, counts: others, exclude: ['orders.orders'] }
  })
  await writeRuns(sql, runs, await daysAgo(sql, 20))
  const last = await writeRuns(sql, [{ day: 0, at: '00:00:01', counts: counts(20) }], await daysAgo(sql, 0))
  await sql`
    select nms.rebuild_run_snapshot(run_id), nms.rebuild_daily_snapshot(snapshot_date)
    from nms.table_metrics_runs
    where status = 'SUCCEEDED'
  `
  await sql`
    insert into nms.table_metrics_alert_log (
      kind, schema_name, table_name, row_count, expected_low, expected_high, detail, opened_at, opened_by_run
    )
    select 'drop', name, name, 120, 130, 140, 'fewer', now(), ${last}
    from unnest(${hostile}::text[]) as name
  `
  return { sql, reader }
}

const hex = (name: string) => Buffer.from(name).toString('hex')

/** Runs a query as Grafana would. */
function ask(reader: Sql, sql: string, variables: Record<string, string> = {}): Promise<Rows> {
  const text = interpolate(sql, { datasource: 'table-metrics', ...variables })
  return reader.unsafe(expandMacros(text, range)) as unknown as Promise<Rows>
}

const ofPostgres = Object.entries(dashboards).filter(([, { panels }]) => panels[0]?.targets[0]?.rawSql)

const queries = ({ panels }: Dashboard) =>
  panels.flatMap((panel) => panel.targets.map((target) => ({ panel, target, sql: target.rawSql as string })))

function typesOf(rows: Rows): Record<string, number> {
  return Object.fromEntries(rows.columns.map(({ name, type }) => [name, type]))
}

/** What each kind of panel needs of its rows. */
function suits(t: ExecutionContext, panel: Panel, { format }: Target, rows: Rows): void {
  const types = typesOf(rows)
  const names = Object.keys(types)
  const isNumber = (name: string) => oids.numbers.includes(types[name] as number)
  t.true(rows.length > 0, `${panel.title}: no rows`)
  if (panel.type === 'timeseries') {
    t.is(format, 'time_series')
    t.is(names[0], 'time')
    t.is(types.time, oids.timestamptz)
    const [, ...values] = names.filter((name) => name !== 'metric')
    t.true(values.length > 0 && values.every(isNumber), `${panel.title}: ${names}`)
    const times = rows.map(({ time }) => (time as Date).getTime())
    t.deepEqual(
      times,
      times.toSorted((one, other) => one - other),
      `${panel.title}: not by time`,
    )
    t.true(times.every((time) => time >= range.from.getTime() && time <= range.to.getTime()))
  } else if (panel.type === 'stat') {
    t.is(format, 'table')
    t.is(rows.length, 1, panel.title)
    t.is(names.length, 1, panel.title)
    t.not(rows[0]?.[names[0] as string], null, panel.title)
    if (panel.options.reduceOptions?.fields === '') t.true(isNumber(names[0] as string), panel.title)
  } else {
    t.is(panel.type, 'table')
    t.is(format, 'table')
  }
  for (const { matcher, properties } of panel.fieldConfig.overrides) {
    t.is(matcher.id, 'byName')
    t.true(names.includes(matcher.options), `${panel.title}: has no column ${matcher.options}`)
    const unit = properties.find(({ id }) => id === 'unit')?.value
    if (unit === 'dateTimeAsIso') t.is(types[matcher.options], oids.timestamptz, matcher.options)
    else if (unit) t.true(isNumber(matcher.options), `${panel.title}: ${matcher.options}`)
  }
}

test('each query returns what its panel needs, for every table with a hostile name', async (t) => {
  const { reader } = await createHistory(t)

  for (const [, dashboard] of ofPostgres) {
    const isOfOneTable = dashboard.templating.list.some(({ name }) => name === 'table')
    for (const name of isOfOneTable ? hostile : ['orders']) {
      const variables = { schema: hex(name), table: hex(name) }
      for (const { panel, target, sql } of queries(dashboard)) {
        suits(t, panel, target, await ask(reader, sql, variables))
      }
    }
  }
})

test('before the first run no query fails', async (t) => {
  const { reader } = await createReader(t)

  for (const [file, dashboard] of ofPostgres) {
    for (const { panel, sql } of queries(dashboard)) {
      await t.notThrowsAsync(ask(reader, sql, { schema: '', table: '' }), `${file}: ${panel.title}`)
    }
  }
})

test('the lists of schemas and tables have every name as it is, and lead to its counts', async (t) => {
  const { reader } = await createHistory(t)
  const { templating, panels } = dashboards['table.json'] as Dashboard
  const [schemas = '', tables = ''] = templating.list
    .filter(({ type }) => type === 'query')
    .map(({ query }) => query as string)
  const counts = panels.find(({ title }) => title === 'Rows by day')?.targets[0]?.rawSql as string

  const found = await ask(reader, schemas)
  t.deepEqual(found.map(({ __text }) => __text as string).sort(), hostile.toSorted())

  for (const { __text: name, __value: schema } of found) {
    const [table] = await ask(reader, tables, { schema: schema as string })
    t.is(table?.__text, name)
    const rows = await ask(reader, counts, { schema: schema as string, table: table?.__value as string })
    const most = 100 * (hostile.indexOf(name as string) + 1) + 20
    t.is(rows.at(-1)?.rows, String(most))
    t.is(rows.at(-1)?.['alert opened'], String(most))
    t.is(rows.at(-2)?.['alert opened'], null)
  }
})

test('links of tables lead to the table that they stand at', async (t) => {
  const { reader } = await createHistory(t)

  for (const [, dashboard] of ofPostgres) {
    for (const { panel, sql } of queries(dashboard).filter(({ sql }) => sql.includes('table_key'))) {
      const rows = await ask(reader, sql)
      for (const { schema, table, schema_key, table_key } of rows) {
        t.deepEqual(
          [schema_key, table_key],
          [schema, table].map((name) => hex(name as string)),
        )
      }
      const link = JSON.stringify(panel.fieldConfig.overrides)
      t.true(link.includes('/d/table-metrics-table/'))
      t.true(link.includes(`var-schema=${braced('__data.fields.schema_key')}&`))
      t.true(link.includes(`var-table=${braced('__data.fields.table_key')}&`))
      t.true(link.includes('{"id":"custom.hidden","value":true}'))
    }
  }
})

test('a gap stays a gap: no row for a day without a result, null where the table was left out', async (t) => {
  const { sql, reader } = await createHistory(t)
  const panel = dashboards['table.json']?.panels.find(({ title }) => title === 'Rows by day') as Panel

  const rows = await ask(reader, panel.targets[0]?.rawSql as string, {
    schema: hex('orders'),
    table: hex('orders'),
  })

  const byDay = new Map(rows.map(({ time, rows }) => [(time as Date).toISOString(), rows]))
  const at = async (ago: number) => `${await daysAgo(sql, ago)}T00:00:00.000Z`
  t.is(byDay.get(await at(16)), '104')
  t.false(byDay.has(await at(15)))
  t.is(byDay.get(await at(14)), null)
  t.is(byDay.get(await at(13)), '107')
  t.is(byDay.size, 20)
  t.like(panel.fieldConfig.defaults, { custom: { spanNulls: false, insertNulls: 1.5 * day } })
})

test('the overview has the sums of how the rows were made', async (t) => {
  const { reader } = await createHistory(t)
  const { panels } = dashboards['overview.json'] as Dashboard
  const rowsOf = (title: string) =>
    ask(reader, panels.find((panel) => panel.title === title)?.targets[0]?.rawSql as string)
  const sum = hostile.reduce((total, _, n) => total + 100 * (n + 1) + 20, 0)

  t.is((await rowsOf('Rows'))[0]?.rows, sum.toLocaleString('en'))
  t.is((await rowsOf('All rows')).at(-1)?.rows, String(sum))
  t.is((await rowsOf('All rows')).length, 20)
  t.is((await rowsOf('Alerts'))[0]?.alerts, String(hostile.length))
  t.is((await rowsOf('Open alerts')).length, hostile.length)
  t.is((await rowsOf('Last run'))[0]?.status, 'SUCCEEDED')
  const changed = await rowsOf('Changed most since the day before')
  t.is(changed.length, hostile.length)
  t.like(changed[0], { outcome: 'grew', change: '1' })
})

test('an estimate has its mark and its range, and a sum with one in it its mark', async (t) => {
  const { sql, reader } = await createReader(t)
  const counts = {
    'public.events': { rows: 1_234_000, method: 'estimate', low: 1_200_000, high: 1_270_000 },
    'public.orders': 1000,
  } as const
  await writeRuns(sql, [{ day: 0, at: '00:00:01', counts }], await daysAgo(sql, 0))
  await rebuildSnapshots(sql)
  const rowsOf = (file: string, title: string, table = 'events') =>
    ask(
      reader,
      dashboards[file]?.panels.find((panel) => panel.title === title)?.targets[0]?.rawSql as string,
      { schema: hex('public'), table: hex(table) },
    )

  t.is((await rowsOf('overview.json', 'Rows'))[0]?.rows, '≈ 1,235,000')
  t.is((await rowsOf('table.json', 'Rows now'))[0]?.rows, '≈ 1,234,000 (1,200,000 to 1,270,000)')
  t.is((await rowsOf('table.json', 'Rows now', 'orders'))[0]?.rows, '1,000')
  for (const title of ['Fewest', 'Most']) {
    t.is((await rowsOf('table.json', title))[0]?.rows, '≈ 1,234,000 (1,200,000 to 1,270,000)')
    t.is((await rowsOf('table.json', title, 'orders'))[0]?.rows, '1,000')
  }
  t.is((await rowsOf('table.json', 'Change'))[0]?.change, '≈ 0')
  for (const title of ['Rows by day', 'Days']) {
    t.like((await rowsOf('table.json', title))[0], {
      rows: '1234000',
      '≈ at least': '1200000',
      '≈ at most': '1270000',
    })
  }
  t.like((await rowsOf('overview.json', 'Largest tables'))[0], {
    method: 'estimate',
    '≈ at least': '1200000',
    '≈ at most': '1270000',
  })
})

test('on the day of the first result nothing is compared, and nothing fails', async (t) => {
  const { sql, reader } = await createReader(t)
  await writeRuns(sql, [{ day: 0, at: '00:00:01', counts: { 'public.orders': 3 } }], await daysAgo(sql, 0))
  await sql`select nms.rebuild_run_snapshot(1), nms.rebuild_daily_snapshot(nms.business_date())`
  const panel = dashboards['overview.json']?.panels.find(({ title }) => title.startsWith('Changed most'))

  t.is((await ask(reader, panel?.targets[0]?.rawSql as string)).length, 0)
})

for (const [file, dashboard] of Object.entries(dashboards)) {
  test(`${file}: panels lie beside each other, in the grid, each with an id and a unit of its own`, (t) => {
    const { panels } = dashboard
    t.is(new Set(panels.map(({ id }) => id)).size, panels.length)
    t.is(new Set(panels.map(({ title }) => title)).size, panels.length)
    panels.forEach(({ title, type, gridPos: a, fieldConfig }, n) => {
      t.true(a.x >= 0 && a.y >= 0 && a.w > 0 && a.h > 0 && a.x + a.w <= 24, title)
      for (const { title: other, gridPos: b } of panels.slice(n + 1)) {
        const overlap = a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
        t.false(overlap, `${title} lies on ${other}`)
      }
      if (type !== 'table') t.truthy(fieldConfig.defaults.unit, title)
    })
  })

  test(`${file}: every data source is the variable, which begins with one that is provisioned`, async (t) => {
    const { datasources } = parse(
      await readFile(`${grafanaFolder}/provisioning/datasources/table-metrics.yaml`, 'utf8'),
    )
    const [variable, ...others] = dashboard.templating.list
    t.is(variable?.type, 'datasource')
    t.true(
      datasources.some(
        ({ type, uid, name }: Record<string, string>) =>
          type === variable?.query && uid === variable?.current?.value && name === variable?.current?.text,
      ),
    )
    const found = allOf(dashboard, 'datasource')
    t.is(
      found.length,
      others.length + dashboard.panels.reduce((sum, { targets }) => sum + 1 + targets.length, 0),
    )
    for (const source of found) t.deepEqual(source, { type: variable?.query, uid: braced('datasource') })
  })

  test(`${file}: variables are declared, quoted by Grafana, and days are drawn in UTC`, (t) => {
    const text = JSON.stringify(dashboard)
    const declared = dashboard.templating.list.map(({ name }) => name)
    for (const [found, name = ''] of text.matchAll(/\$\{?(\w+)/g)) {
      t.true(declared.includes(name) || name.startsWith('__'), `${found} is not declared`)
    }
    t.notRegex(text, /'\$\{?(?!__)\w|__inputs/)
    t.is(dashboard.timezone, 'utc')
    t.is(dashboard.schemaVersion, 41)
    for (const { sql = '' } of queries(dashboard)) {
      t.notRegex(sql, /current_date|snapshot_date as time|snapshot_date::timestamptz/)
    }
  })
}

test('each dashboard has an address of its own, which links keep', (t) => {
  const uids = Object.values(dashboards).map(({ uid }) => uid)

  t.is(new Set(uids).size, uids.length)
  for (const uid of uids) t.regex(uid, /^[a-z-]{8,40}$/)
  for (const [, uid] of JSON.stringify(dashboards).matchAll(/\/d\/([\w-]+)\//g))
    t.true(uids.includes(uid ?? ''))
})

test('the data sources are named as versions since 12.2 want them', async (t) => {
  const read = async (name: string) => parse(await readFile(`${grafanaFolder}/provisioning/${name}`, 'utf8'))
  const { apiVersion, datasources } = await read('datasources/table-metrics.yaml')
  const { providers } = await read('dashboards/table-metrics.yaml')

  t.is(apiVersion, 1)
  const [source] = datasources
  t.is(source.type, 'grafana-postgresql-datasource')
  t.is(source.jsonData.database, braced('TABLE_METRICS_DATABASE'))
  t.false('database' in source)
  t.deepEqual(Object.keys(source.secureJsonData), ['password'])
  t.is(providers[0].type, 'file')
})

/** The values of a key, wherever it stands. */
function allOf(value: unknown, key: string): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, each]) => (name === key ? [each] : allOf(each, key)))
}
