import ava from 'ava'
import { createDatabase } from '../_support/database.ts'
import { createHistory, daysAgo } from '../_support/history.ts'
import { failsClearly, tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

const days = {
  2: { public: { orders: 1000, items: 5 }, shop: { gone: 7 } },
  0: { public: { orders: 1250, items: 5 }, shop: { fresh: '9007199254740993' } },
}

test('daily shows today: each table, largest first, with the change since the last day that has a result', async (t) => {
  const db = await createHistory(t, days)

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['daily'])

  t.is(status, 0, stderr)
  const [, , ...lines] = stdout.split('\n')
  t.deepEqual(
    lines.slice(0, 4).map((line) => line.split(/ {2,}/)),
    [
      ['shop.fresh', '9,007,199,254,740,993', 'appeared'],
      ['public.orders', '1,250', '+250', '+25.0 %'],
      ['shop.gone', 'had 7', 'disappeared'],
      ['public.items', '5', '='],
    ],
  )
  t.true(
    stdout.includes(`business day ${await daysAgo(db.sql, 0)} (America/New_York), counted by run 2\n`),
    stdout,
  )
  t.regex(
    stdout,
    /^3 tables, 9,007,199,254,742,248 rows, each counted once \(\+9,007,199,254,741,236 since /m,
  )
  t.true(stdout.includes(`since ${await daysAgo(db.sql, 2)})`), stdout)
})

test('daily has the kind of a table only where some table is more than that', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.plain ();
    create table public.parted (id int) partition by range (id);
    create table public.part partition of public.parted for values from (0) to (9);
  `)
  await db.sql`select from nms.collect_table_metrics()`

  const { stdout } = await tableMetrics(t, db.url, ['daily'])

  t.deepEqual(
    stdout
      .split('\n')
      .flatMap((line) => (line.startsWith('public.') ? [line.split(/ {2,}/).slice(0, -1)] : [])),
    [['public.part', 'partition'], ['public.parted', 'partitioned table'], ['public.plain']],
  )
})

test('at 60 columns daily loses what matters less, and no number', async (t) => {
  const db = await createHistory(t, {
    1: { public: { orders_of_the_year_before_last: 1_234_567 } },
    0: { public: { orders_of_the_year_before_last: 1_334_567 } },
  })

  const { stdout } = await tableMetrics(t, db.url, ['daily'], { COLUMNS: '60' })

  const table = stdout.split('\n').slice(0, 3)
  t.true(
    table.every((line) => line.length <= 60),
    stdout,
  )
  t.regex(table[2] ?? '', /^public\.order.*before_last +1,334,567 +\+100,000$/)
  const piped = await tableMetrics(t, db.url, ['daily'])
  t.regex(piped.stdout, /^public\.orders_of_the_year_before_last +1,334,567 +\+100,000 +\+8\.1 %$/m)
})

test('daily takes the day as a date', async (t) => {
  const db = await createHistory(t, days)

  const { status, stdout } = await tableMetrics(t, db.url, ['daily', await daysAgo(db.sql, 2)])

  t.is(status, 0)
  t.regex(stdout, /^shop\.gone +7$/m)
  t.regex(stdout, /^3 tables, 1,012 rows, each counted once$/m)
})

test('today and yesterday are days of the business time zone', async (t) => {
  const db = await createHistory(t, {})
  // Never the date of UTC, which is that of the session: 13 to 14 hours ahead of it, or 11 behind.
  const zone = (await isMorning(db.sql)) ? 'Pacific/Pago_Pago' : 'Pacific/Kiritimati'
  await db.sql`update nms.table_metrics_settings set business_time_zone = ${zone}`
  const [day] = await db.sql<[{ today: string; yesterday: string }]>`
    select
      (now() at time zone ${zone})::date::text as today,
      ((now() at time zone ${zone})::date - 1)::text as yesterday
  `
  await db.sql`select from nms.import_run(${day.today}::date, '{"public": {"orders": 2}}')`
  await db.sql`select from nms.import_run(${day.yesterday}::date, '{"public": {"orders": 1}}')`

  for (const [args, payload] of [
    [[], '{"public": {"orders": 2}}'],
    [['today'], '{"public": {"orders": 2}}'],
    [['yesterday'], '{"public": {"orders": 1}}'],
  ] as const) {
    const { stdout } = await tableMetrics(t, db.url, ['daily', ...args, '--json'])

    t.is(stdout, `${payload}\n`)
  }
})

test('daily --since shows what has changed since another day', async (t) => {
  const db = await createHistory(t, { 9: { public: { orders: 900 } }, ...days })
  const [nine, seven] = [await daysAgo(db.sql, 9), await daysAgo(db.sql, 7)]

  for (const since of ['1w', nine]) {
    const { status, stdout, stderr } = await tableMetrics(t, db.url, ['daily', '--since', since])

    t.is(status, 0, stderr)
    t.regex(stdout, new RegExp(`^table .* since ${nine} `, 'm'))
    t.regex(stdout, /^public\.orders .* \+350 +\+38\.9 %$/m)
    t.true(
      stdout.includes(
        since === '1w' ? `since ${nine}, the last day before ${seven} that has a result)` : `since ${nine})`,
      ),
      stdout,
    )
  }
})

test('daily takes about a day, and says which one it is', async (t) => {
  const db = await createHistory(t, days)
  const [two, one] = [await daysAgo(db.sql, 2), await daysAgo(db.sql, 1)]

  const { stdout } = await tableMetrics(t, db.url, ['daily', '1d'])

  t.true(stdout.includes(`business day ${two}, the last day before ${one} that has a result (`), stdout)
})

test('daily --since takes no day that is not before the one that is shown', async (t) => {
  const db = await createHistory(t, days)
  const [day, now] = [await daysAgo(db.sql, 2), await daysAgo(db.sql, 0)]

  failsClearly(
    t,
    await tableMetrics(t, db.url, ['daily', day, '--since', 'today']),
    `${now} is not before ${day}`,
  )
})

test('daily --json prints the payload of the day as the server has it, and nothing else', async (t) => {
  const db = await createHistory(t, days)

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['daily', '--json'])

  t.is(status, 0)
  t.is(stderr, '')
  t.is(stdout, '{"shop": {"fresh": 9007199254740993}, "public": {"items": 5, "orders": 1250}}\n')
})

test('of many tables daily shows the largest and says how to see the others', async (t) => {
  const counts = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`t${n}`, 100 + n]))
  const db = await createHistory(t, { 0: { public: counts } })

  const some = await tableMetrics(t, db.url, ['daily'])
  const all = await tableMetrics(t, db.url, ['daily', '--all'])

  t.is(some.stdout.match(/^public\.t\d+ /gm)?.length, 40)
  t.regex(some.stdout, /^public\.t49 /m)
  t.regex(some.stdout, /^… and 10 more tables: --all /m)
  t.is(all.stdout.match(/^public\.t\d+ /gm)?.length, 50)
  t.notRegex(all.stdout, /more tables/)
})

test('a day without a result gives one line with the nearest day that has one', async (t) => {
  const db = await createHistory(t, { 9: { public: { orders: 1 } }, 2: { public: { orders: 1 } } })
  const [asked, nearest] = [await daysAgo(db.sql, 4), await daysAgo(db.sql, 2)]

  const finished = await tableMetrics(t, db.url, ['daily', asked])

  failsClearly(t, finished, asked, `type table-metrics daily ${nearest}`)
  t.is(finished.stderr.trim().split('\n').length, 1)
})

for (const [value, words] of [
  ['20.11.2026', ['20.11.2026', 'such as 2026-11-20, yesterday, 7d']],
  ['2026-02-31', ['2026-02-31', '2026-11-20']],
] as const) {
  test(`"daily ${value}" gives one clear message that says what to type instead`, async (t) => {
    const db = await createDatabase(t)

    failsClearly(t, await tableMetrics(t, db.url, ['daily', value]), ...words)
  })
}

test('before the first run daily says what to type', async (t) => {
  const db = await createDatabase(t)

  failsClearly(t, await tableMetrics(t, db.url, ['daily']), 'table-metrics collect')
})

test('a database without an install gives one message that says how to install', async (t) => {
  const db = await createDatabase(t, 'empty_template')

  for (const args of [
    ['daily'],
    ['status'],
    ['trend', 'public.orders'],
    ['diff'],
    ['alerts'],
    ['export'],
    ['rebuild', 'today'],
    ['prune', '--keep-runs', '1d'],
  ]) {
    const finished = await tableMetrics(t, db.url, args)

    failsClearly(t, finished, 'table-metrics migrate')
  }
})

async function isMorning(sql: import('../_support/database.ts').Sql): Promise<boolean> {
  const [row] = await sql<[{ morning: boolean }]>`
    select extract(hour from now() at time zone 'UTC') < 11 as morning
  `
  return row.morning
}
