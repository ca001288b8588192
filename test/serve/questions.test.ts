import test from 'ava'
import { collect, createDatabase } from '../_support/database.ts'
import { createHistory, daysAgo, writeRun, writeRuns } from '../_support/history.ts'
import { startTestService } from '../_support/service.ts'

const beyond = '9007199254740993'

test('what was counted today, on a day and by the latest run', async (t) => {
  const db = await createHistory(t, {
    0: { sales: { orders: 12 } },
    1: { sales: { orders: 10, items: beyond } },
  })
  const { get } = await startTestService(t, db.url)
  const [today, yesterday] = [await daysAgo(db.sql, 0), await daysAgo(db.sql, 1)]

  for (const [path, day, run_id, payload] of [
    ['/v1/today', today, 2, { sales: { orders: 12 } }],
    [`/v1/days/${today}`, today, 2, { sales: { orders: 12 } }],
    ['/v1/latest', today, 2, { sales: { orders: 12 } }],
    ['/v1/runs/2', today, 2, { sales: { orders: 12 } }],
    ['/v1/days/yesterday', yesterday, 1, { sales: { orders: 10, items: Number(beyond) } }],
    ['/v1/runs/1', yesterday, 1, { sales: { orders: 10, items: Number(beyond) } }],
  ] as const) {
    const response = await get(path)
    t.is(response.status, 200, path)
    t.is(response.headers.get('content-type'), 'application/json; charset=utf-8')
    t.like(await response.json(), { run_id, snapshot_date: day, payload })
  }
})

test('both versions of the payload can be had, whichever is stored, and each has its own tag', async (t) => {
  const { sql, url } = await createDatabase(t)
  const today = await daysAgo(sql, 0)
  const counts = {
    'sales.orders': { rows: 12, low: 10, high: 15, method: 'estimate' as const },
    '_version.t': 3,
  }
  const { get } = await startTestService(t, url)
  const expected = {
    1: { sales: { orders: 12 }, _version: { t: 3 } },
    2: {
      _version: 2,
      sales: { orders: { count: 12, method: 'estimate', low: 10, high: 15 } },
      __version: { t: { count: 3, method: 'exact' } },
    },
  }

  for (const stored of [1, 2]) {
    await sql`update nms.table_metrics_settings set payload_version = ${stored}`
    const run = await writeRun(sql, today, counts)
    for (const path of ['/v1/today', `/v1/days/${today}`, '/v1/latest', `/v1/runs/${run}`]) {
      const [unasked, first, second] = [
        await get(path),
        await get(`${path}?version=1`),
        await get(`${path}?version=2`),
      ]
      const [tag, sameTag, otherTag] = [unasked, first, second].map(
        ({ headers }) => headers.get('etag') ?? '',
      )
      t.deepEqual((await unasked.json()).payload, expected[1], path)
      t.deepEqual((await first.json()).payload, expected[1], path)
      t.deepEqual((await second.json()).payload, expected[2], path)
      t.is(tag, sameTag)
      t.not(tag, otherTag)
      const known = { 'if-none-match': tag ?? '' }
      t.is((await get(path, known)).status, 304)
      t.is((await get(`${path}?version=2`, known)).status, 200)
      t.is((await get(`${path}?version=2`, { 'if-none-match': otherTag ?? '' })).status, 304)
    }
  }
  for (const version of ['0', '3', '2.0', '']) {
    const response = await get(`/v1/latest?version=${version}`)
    t.is(response.status, 400)
    t.regex((await response.json()).detail, /^version: saw .*, expected: version of the payload: 1, .* or 2/)
  }
})

test('a count above 2^53 arrives with all its digits', async (t) => {
  const db = await createHistory(t, { 0: { sales: { orders: beyond } } })
  const { get } = await startTestService(t, db.url)

  for (const path of [
    '/v1/today',
    '/v1/trend?schema=sales&table=orders',
    '/v1/tables',
    '/v1/days',
    '/v1/growth',
  ]) {
    const text = await (await get(path)).text()
    t.true(text.includes(beyond), `${path}: ${text}`)
  }
})

test('lists of days and runs go on where the page before ended', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 3 } }, 1: { s: { t: 2 } }, 2: { s: { t: 1 } } })
  const { get } = await startTestService(t, db.url)

  for (const [path, list, key, expected] of [
    ['/v1/days', 'days', 'snapshot_date', [0, 1, 2].map((ago) => daysAgo(db.sql, ago))],
    ['/v1/runs', 'runs', 'run_id', [3, 2, 1]],
  ] as const) {
    const seen: unknown[] = []
    let next: string | null = ''
    while (next !== null) {
      const page = await (await get(`${path}?limit=1${next && `&before=${next}`}`)).json()
      t.is(page[list].length, 1)
      seen.push(page[list][0][key])
      next = page.next
    }
    t.deepEqual(seen, await Promise.all(expected))
  }
})

test('tables are found by schema and by a part of the name, page by page', async (t) => {
  const db = await createHistory(t, {
    0: { sales: { 'Orders "2"': 1, orders: 2 }, stock: { orders: 3, bins: 4 } },
  })
  const { get } = await startTestService(t, db.url)
  const found: string[] = []
  let next: string | null = null

  do {
    const query = new URLSearchParams({ like: 'ORD', limit: '1', ...(next !== null && { after: next }) })
    const page = await (await get(`/v1/tables?${query}`)).json()
    found.push(
      ...page.tables.map(
        (table: { schema_name: string; table_name: string }) => `${table.schema_name}.${table.table_name}`,
      ),
    )
    next = page.next
  } while (next !== null)

  t.deepEqual(found, ['sales.Orders "2"', 'sales.orders', 'stock.orders'])
  const one = await (await get('/v1/tables?schema=stock')).json()
  t.deepEqual(
    one.tables.map((table: { table_name: string }) => table.table_name),
    ['bins', 'orders'],
  )
})

test('a trend and the growth of a table, a schema and the database', async (t) => {
  const db = await createHistory(t, { 0: { s: { a: 30, b: 5 } }, 1: { s: { a: 20, b: 5 } } })
  const { get } = await startTestService(t, db.url)
  const json = async (path: string) => (await get(path)).json()

  t.deepEqual(
    (await json('/v1/trend?schema=s&table=a&days=2')).days.map((day: { row_count: number }) => day.row_count),
    [20, 30],
  )
  t.like((await json('/v1/growth?periods=2&schema=s&table=a')).summary, { change: 10, last_rows: 30 })
  t.like((await json('/v1/growth?periods=2&schema=s')).summary, { change: 10, last_rows: 35 })
  t.like((await json('/v1/growth?periods=2')).summary, { change: 10, last_rows: 35 })
  t.is((await json('/v1/growth?by=month&periods=1')).by, 'month')
})

test('days and runs are compared by any of their names, and fail_on gives a verdict', async (t) => {
  const db = await createHistory(t, { 0: { s: { a: 1 } }, 1: { s: { a: 2 } } })
  const { get } = await startTestService(t, db.url)

  for (const query of [
    '',
    '?before=yesterday',
    '?before=yesterday&after=today',
    '?before=1&after=2',
    `?before=${await daysAgo(db.sql, 1)}&after=2`,
  ]) {
    const report = await (await get(`/v1/compare${query}`)).json()
    t.is(report.before.run_id, 1, query)
    t.is(report.after.run_id, 2, query)
    t.is(report.change, -1, query)
    t.is(report.verdict, null)
  }
  t.is((await (await get('/v1/compare?fail_on=drop')).json()).verdict, 'failed')
  t.is((await (await get('/v1/compare?fail_on=missing')).json()).verdict, 'passed')
})

test('open alerts, and with the history those that are closed', async (t) => {
  const { sql, url } = await createDatabase(t)
  await sql`create table public.old as select 1 as id`
  await collect(sql)
  await sql`create table public.fresh as select 1 as id`
  await collect(sql)
  const { get } = await startTestService(t, url)
  const report = async (query = '') => (await get(`/v1/alerts${query}`)).json()

  const open = await report()
  t.like(open.open[0], { kind: 'table_new', schema_name: 'public', table_name: 'fresh' })
  t.is(open.history, null)
  await collect(sql)
  const later = await report('?history=true')
  t.deepEqual(later.open, [])
  t.like(later.history[0], { kind: 'table_new', table_name: 'fresh', closed_by_run: 3 })
})

test('a run that is not there yet is not kept, a finished one for ever; a day is asked for again each time', async (t) => {
  const db = await createDatabase(t)
  await collect(db.sql)
  const running = await writeRuns(db.sql, [{ day: 1, status: 'RUNNING' }])
  const failed = await writeRuns(db.sql, [{ day: 1, status: 'FAILED', error: 'lost its way' }])
  const { get } = await startTestService(t, db.url)
  const cached = async (path: string) => (await get(path)).headers.get('cache-control')

  t.is(await cached('/v1/runs/1'), 'private, max-age=86400, immutable')
  t.is(await cached(`/v1/runs/${failed}`), 'private, max-age=86400, immutable')
  t.is(await cached(`/v1/runs/${running}`), 'no-store')
  t.is(await cached('/v1/today'), 'private, no-cache')
  t.like(await (await get(`/v1/runs/${running}`)).json(), { status: 'RUNNING', payload: null })
  t.like(await (await get(`/v1/runs/${failed}`)).json(), { status: 'FAILED', error_message: 'lost its way' })
  t.is((await get(`/v1/compare?before=1&after=${running}`)).status, 409)
})

test('what another run of the day has counted anew is not taken for what the client has', async (t) => {
  const db = await createHistory(t, { 0: { s: { a: 1 } } })
  const { get } = await startTestService(t, db.url)
  const first = await get('/v1/today')
  const known = { 'if-none-match': first.headers.get('etag') as string }
  t.is((await get('/v1/today', known)).status, 304)

  await db.sql`select from nms.import_run(nms.business_date(), '{"s": {"a": 2}}')`

  const second = await get('/v1/today', known)
  t.is(second.status, 200)
  t.deepEqual((await second.json()).payload, { s: { a: 2 } })
})

const refused: [path: string, status: number, ...words: string[]][] = [
  ['/v1/days/2026-02-30', 400, 'saw 2026-02-30, expected a date of the calendar'],
  ['/v1/days/20261120', 400, 'saw 20261120', 'such as 2026-11-20'],
  ['/v1/days/1999-01-01', 404, '1999-01-01'],
  ['/v1/days/2026%2F11%2F20', 400, 'saw 2026/11/20'],
  ['/v1/days/%00', 400, 'zero byte'],
  ['/v1/days/infinity', 400, 'saw infinity'],
  ['/v1/runs/0', 400, 'saw 0'],
  ['/v1/runs/-1', 400, 'saw -1'],
  ['/v1/runs/99', 404, 'the last one is 1'],
  ['/v1/runs/1e2', 400, 'saw 1e2'],
  ['/v1/trend?schema=sales&table=order', 404, 'sales.orders'],
  ['/v1/trend?schema=sales', 400, 'no parameter table'],
  ['/v1/trend?schema=&table=orders', 400, 'schema: saw ,'],
  ['/v1/trend?schema=sales&table=orders&days=1e2', 400, 'saw 1e2', 'from 1 to 9999'],
  ['/v1/trend?schema=sales&table=orders&days=%205', 400, 'saw  5'],
  ['/v1/trend?schema=sales&table=orders&days=0', 400, 'saw 0'],
  ['/v1/trend?schema=sales&table=a&table=b', 400, 'the parameter table more than once'],
  ['/v1/trend?schema=sales&table=a%00b', 400, 'zero byte'],
  ['/v1/trend?schema=sales&tabel=orders', 400, 'tabel', 'schema, table, days'],
  ['/v1/trend?schema=sales&table=orders&__proto__=1', 400, '__proto__'],
  [`/v1/trend?schema=sales&table=${'x'.repeat(64)}`, 400, '1 to 63'],
  [
    '/v1/trend?schema=sales&table=%27%3B%20drop%20table%20x%3B--%5C',
    404,
    "no run has met a table sales.'; drop table x;--\\",
  ],
  ['/v1/growth?table=orders', 400, 'a table without its schema'],
  ['/v1/growth?by=year', 400, 'saw year', 'week'],
  ['/v1/growth?schema=nobody', 404, 'nobody'],
  ['/v1/days?limit=1001', 400, 'from 1 to 1000'],
  ['/v1/days?before=tomorrow', 400, 'saw tomorrow'],
  ['/v1/runs?before=last', 400, 'saw last'],
  ['/v1/compare?before=somewhen', 400, 'saw somewhen'],
  ['/v1/compare?fail_on=nothing', 400, 'saw nothing', 'drop'],
  ['/v1/tables?after=nonsense', 400, 'nonsense'],
  ['/v1/today?version=3', 400, 'saw 3'],
  ['/v1/today?payload', 400, 'the parameter payload'],
]

test('what cannot be answered is refused with what was seen and what is expected, and not one word of SQL', async (t) => {
  const db = await createHistory(t, { 0: { sales: { orders: 1 } } })
  const { get, events } = await startTestService(t, db.url)

  for (const [path, status, ...words] of refused) {
    const response = await get(path)
    t.is(response.status, status, path)
    t.is(response.headers.get('content-type'), 'application/problem+json; charset=utf-8')
    const problem = await response.json()
    t.is(problem.status, status)
    for (const word of words)
      t.true(`${problem.detail} ${problem.hint}`.includes(word), JSON.stringify(problem))
    t.notRegex(problem.detail, /select|nms\.\w+\(/)
  }
  t.deepEqual(events, [])
})
