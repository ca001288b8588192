import test, { type ExecutionContext } from 'ava'
import { collect, createDatabase } from '../../_support/database.ts'
import { reservePort } from '../../_support/ports.ts'
import { startTestService } from '../../_support/service.ts'

async function serve(
  t: ExecutionContext,
  databaseUrl: string,
  metricsTables: string[] = [],
): Promise<string> {
  const service = await startTestService(t, databaseUrl, { metricsTables })
  return `${service.url}/metrics`
}

const text = 'text/plain; version=0.0.4; charset=utf-8'
const open = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

test('each scrape reads the database anew, and has the listed tables in it', async (t) => {
  const { sql, url, name } = await createDatabase(t)
  await sql`create table public."or""ders" as select generate_series(1, 3) as id`
  const metrics = await serve(t, url, ['public.or"ders', 'public.typo'])
  const scrape = async () => (await fetch(metrics)).text()
  const series = `nms_table_rows{datname="${name}",schemaname="public",relname="or\\"ders"}`

  const before = await scrape()
  t.false(before.includes('nms_table_rows'))

  await collect(sql)
  t.true((await scrape()).includes(`${series} 3\n`))

  await sql`insert into public."or""ders" values (4)`
  await collect(sql)
  const after = await scrape()
  t.true(after.includes(`${series} 4\n`))
  t.true(after.includes(`nms_listed_table_missing{datname="${name}",listed="public.typo"} 1\n`))
})

test('the answer has the format that is asked for, is not to be kept, and depends on what was asked', async (t) => {
  const { url } = await createDatabase(t)
  const metrics = await serve(t, url)

  for (const [accept, type] of [
    ['*/*', text],
    ['application/openmetrics-text;version=1.0.0', open],
  ] as const) {
    const response = await fetch(metrics, { headers: { accept } })

    t.is(response.status, 200)
    t.is(response.headers.get('content-type'), type)
    t.is(response.headers.get('cache-control'), 'no-store')
    t.regex(response.headers.get('vary') ?? '', /\bAccept\b/)
    t.is((await response.text()).endsWith('# EOF\n'), type === open)
  }
  const head = await fetch(metrics, { method: 'HEAD' })
  t.is(head.headers.get('content-type'), text)
  t.is((await fetch(metrics, { method: 'POST' })).status, 405)
})

test('while the database is away a scrape fails, rather than showing nothing', async (t) => {
  const metrics = await serve(t, `postgres://nobody@127.0.0.1:${await reservePort()}/none`)

  const response = await fetch(metrics)

  t.is(response.status, 503)
  t.is(response.headers.get('content-type'), 'application/problem+json; charset=utf-8')
  t.truthy(response.headers.get('retry-after'))
})
