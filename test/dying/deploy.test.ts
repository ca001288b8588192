// What docs/deploy.md gives the logins suffices. They belong to the whole server: it is their own.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import postgres from 'postgres'
import { startTemporaryServer } from '../../demo/embedded/server.ts'
import { migrate } from '../../src/install/migrate.ts'
import { eventually } from '../_support/eventually.ts'
import { startTableMetrics, tableMetrics } from '../_support/process.ts'

test('the logins of docs/deploy.md count and serve', async (t) => {
  const page = await readFile('docs/deploy.md', 'utf8')
  const [, logins = ''] = /^```sql\n(.*?)^```$/ms.exec(page) ?? []
  const server = await startTemporaryServer()
  t.teardown(server.stop)
  const admin = postgres(server.url('postgres'), { max: 1 })
  await admin`create database shop`
  await admin.end()
  const sql = postgres(server.url('shop'), { max: 1, onnotice: () => undefined })
  t.teardown(() => sql.end())
  await sql`create table public.apples as select generate_series(1, 3) as id`
  await migrate(server.url('shop'))
  await sql.unsafe(logins)
  const as = async (login: string) => {
    await sql.unsafe(`alter role ${login} password 'secret'`)
    const url = new URL(server.url('shop'))
    url.username = login
    url.password = 'secret'
    return url.href
  }
  const counting = await as('table_metrics_counting')
  const serving = await as('table_metrics_serving')
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-deploy-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const token = 'a-token-that-is-long-enough'
  await writeFile(join(folder, 'tokens'), `${token}\n`)

  const first = await tableMetrics(t, counting, ['worker', '--once'])
  await sql`select graphile_worker.add_job('collect_table_metrics')`
  const second = await tableMetrics(t, counting, ['worker', '--once'])
  const service = startTableMetrics(t, serving, ['serve', '--port', '0', '--log', 'json'], {
    SERVE_TOKENS_FILE: join(folder, 'tokens'),
  })
  await eventually(async () => service.stdout().includes('"serving"'), 'it serves')
  const [, url] = /"url":"([^"]+)"/.exec(service.stdout()) ?? []
  const headers = { authorization: `Bearer ${token}` }
  const ready = await fetch(`${url}/ready`)
  const today = await fetch(`${url}/v1/today`, { headers })

  t.is(first.status, 0, first.stderr)
  t.is(second.status, 0, second.stderr)
  t.is(ready.status, 200)
  t.is(today.status, 200)
  t.true((await today.text()).includes('apples'))
})
