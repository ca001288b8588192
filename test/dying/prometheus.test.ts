// Debian's Prometheus and its tools, on the real service.

import { spawnSync } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import postgres from 'postgres'
import { parse, stringify } from 'yaml'
import { families } from '../../src/serve/metrics/families.ts'
import { Problem } from '../../src/serve/problem.ts'
import { createDatabase, type Sql, withDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { interpolate, readDashboards } from '../_support/grafana.ts'
import { daysAgo, writeRuns } from '../_support/history.ts'
import { reservePort } from '../_support/ports.ts'
import { start } from '../_support/process.ts'
import { startTestService } from '../_support/service.ts'

const folder = fileURLToPath(new URL('../../prometheus', import.meta.url))

const hostile = ['quo"te', 'back\\slash', 'new\nline', 'Ünïcødé 表', '{a="b"} 7', '# EOF']
const token = 'a token of a test, long enough'

function promtool(args: string[], input = '') {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, {
    input,
    encoding: 'utf8',
    cwd: folder,
  })
  if (error) throw new Error(`promtool: ${error.message}; expected Debian's package prometheus`)
  return { status, output: stdout + stderr }
}

/** Answers whoever has the token, as Bearer or as the password of Basic. */
async function serve(t: ExecutionContext, databaseUrl: string, metricsTables: string[]): Promise<URL> {
  const { url } = await startTestService(t, databaseUrl, {
    authentication: {
      async identify({ headers: { authorization = '' } }) {
        const [scheme, given = ''] = authorization.split(/ (.*)/)
        const secret = scheme === 'Basic' ? Buffer.from(given, 'base64').toString().split(/:(.*)/)[1] : given
        if (secret !== token) throw new Problem(401, 'saw no token, expected one')
        return { name: 'a test', mayRead: true, mayTrigger: false }
      },
    },
    metricsTables,
  })
  return new URL(url)
}

/** Runs a Prometheus with our settings, but for what it scrapes and how often. Asks its API. */
async function startPrometheus(
  t: ExecutionContext,
  scrape: (config: Record<string, unknown>) => Record<string, unknown>[],
) {
  const home = await mkdtemp(join(tmpdir(), 'prometheus-'))
  t.teardown(() => rm(home, { recursive: true, force: true }))
  await cp(folder, home, { recursive: true })
  await writeFile(join(home, 'token'), `${token}\n`)
  await writeFile(join(home, 'wrong'), 'another\n')
  const { scrape_configs, ...config } = parse(await readFile(join(folder, 'prometheus.yml'), 'utf8'))
  await writeFile(
    join(home, 'prometheus.yml'),
    stringify({
      ...config,
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      scrape_configs: scrape(scrape_configs[0]),
    }),
  )
  const address = `127.0.0.1:${await reservePort()}`
  const prometheus = start(t, 'prometheus', [
    `--config.file=${join(home, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(home, 'data')}`,
    `--web.listen-address=${address}`,
    '--log.level=warn',
  ])
  prometheus.finished.then(
    ({ stderr }) => t.log(stderr),
    () => undefined,
  )
  const ask = async <T>(path: string, parameters: Record<string, string> = {}): Promise<T> => {
    const response = await fetch(`http://${address}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    const { data } = (await response.json()) as { data: T }
    return data
  }
  return {
    ask,
    /** The value of each series of a query. */
    async query(query: string): Promise<Record<string, string>[]> {
      const { result } = await ask<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
        'query',
        { query },
      )
      return result.map(({ metric, value: [, value] }) => ({ ...metric, value }))
    },
  }
}

/** Of each table with a hostile name it counts as many rows as its place among them. */
async function writeHostileHistory(sql: Sql): Promise<void> {
  const counts = Object.fromEntries(hostile.map((name, n) => [`${name}.${name}`, n]))
  await writeRuns(sql, [{ day: 0, at: '00:00:01', counts }], await daysAgo(sql, 0))
}

const hostileTables = hostile.map((name) => `${name}.${name}`)

test('Prometheus scrapes the service with a token, reads every name as it is, and is told when it fails', async (t) => {
  const { sql, url, name } = await createDatabase(t)
  await writeHostileHistory(sql)
  const { host } = await serve(t, url, hostileTables)
  const { ask, query } = await startPrometheus(t, ({ authorization, ...config }) => {
    const job = { ...config, static_configs: [{ targets: [host] }] }
    return [
      { ...job, authorization },
      { ...job, job_name: 'basic', basic_auth: { username: 'prometheus', password_file: 'token' } },
      { ...job, job_name: 'wrong', authorization: { credentials_file: 'wrong' } },
      { ...job, job_name: 'none' },
    ]
  })
  const up = async () => Object.fromEntries((await query('up')).map(({ job, value }) => [job, value]))
  const health = async () =>
    (await ask<{ groups: { rules: { health: string }[] }[] }>('rules')).groups.flatMap(({ rules }) =>
      rules.map((rule) => rule.health),
    )

  await eventually(async () => Object.keys(await up()).length === 4, 'each job was scraped')
  t.deepEqual(await up(), { 'table-metrics': '1', basic: '1', wrong: '0', none: '0' })

  const tables = await query('nms_table_rows{job="table-metrics"}')
  t.deepEqual(
    Object.fromEntries(tables.map(({ schemaname, relname, value }) => [`${schemaname}.${relname}`, value])),
    Object.fromEntries(hostileTables.map((table, n) => [table, String(n)])),
  )
  t.is((await query(`nms_last_run_succeeded{job="basic",datname="${name}"}`))[0]?.value, '1')
  const metadata = await ask<Record<string, { type: string; unit: string }[]>>('metadata')
  t.like(metadata.nms_last_success_timestamp_seconds?.[0], { type: 'gauge', unit: 'seconds' })
  await eventually(
    async () => (await health()).length > 0 && (await health()).every((each) => each === 'ok'),
    'each rule was evaluated',
  )

  // Each panel of the dashboard on Prometheus has something to show.
  const { panels = [] } = (await readDashboards())['overview_prometheus.json'] ?? {}
  for (const { title, targets } of panels) {
    const expr = interpolate(targets[0]?.expr as string, { datname: name })
    const found = await query(expr)
    t.true(found.length > 0 || title === 'Open alerts by kind', `${title}: ${expr}`)
  }

  const admin = postgres(withDatabase(url, 'postgres'), { max: 1 })
  await admin`drop database ${admin(name)} with (force)`
  await admin.end()
  await eventually(async () => (await up())['table-metrics'] === '0', 'the scrape fails without the database')
  await eventually(async () => (await query('nms_table_rows')).length === 0, 'no old count is shown')
})

test('promtool finds nothing wrong with what is scraped', async (t) => {
  const { sql, url } = await createDatabase(t)
  await writeHostileHistory(sql)
  const service = await serve(t, url, [...hostileTables, 'ty"po\\.\n'])
  const response = await fetch(new URL('/metrics', service), {
    headers: { authorization: `Bearer ${token}` },
  })

  t.deepEqual(promtool(['check', 'metrics'], await response.text()), { status: 0, output: '' })
})

test('the rules tell what they should, and nothing while all is well', (t) => {
  const { status, output } = promtool(['test', 'rules', 'alerts.test.yml'])

  t.is(status, 0, output)
})

test('the rules and the settings are what Prometheus takes', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'prometheus-'))
  t.teardown(() => rm(home, { recursive: true, force: true }))
  await cp(folder, home, { recursive: true })
  await writeFile(join(home, 'token'), token)

  const { status, output } = promtool(['check', 'config', join(home, 'prometheus.yml')])

  t.is(status, 0, output)
})

test('every metric of a rule or a dashboard is one of ours', async (t) => {
  const rules = await readFile(join(folder, 'alerts.yml'), 'utf8')
  const dashboard = JSON.stringify((await readDashboards())['overview_prometheus.json'])
  const named = [...new Set((rules + dashboard).match(/\bnms_\w+/g))]

  t.true(named.length > 3)
  for (const name of named)
    t.true(
      families.some((family) => family.name === name),
      name,
    )
})
