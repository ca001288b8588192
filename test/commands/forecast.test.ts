import ava from 'ava'
import { collect } from '../_support/database.ts'
import { createHistory, daysAgo } from '../_support/history.ts'
import { failsClearly, tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

const growing = (days: number, first: number) =>
  Object.fromEntries(
    Array.from({ length: days }, (_, n) => [n + 1, { public: { orders: first + 10 * (days - n - 1) } }]),
  )

test('forecast says how many rows there will be, when it is a number, and from what that is known', async (t) => {
  const db = await createHistory(t, growing(50, 1000))
  const [last, ahead30, ahead90, ahead365, reached] = await Promise.all(
    [1, -29, -89, -364, -50].map((ago) => daysAgo(db.sql, ago)),
  )

  const { status, stdout, stderr } = await tableMetrics(
    t,
    db.url,
    ['forecast', 'public.orders', '--rows', '2000'],
    { COLUMNS: '60' },
  )

  t.is(status, 0, stderr)
  t.is(
    stdout,
    `public.orders

1,490 rows on ${last}, by the line 1,490
+10 rows a day (+10 to +10)

in        on           rows  at least  at most
────────  ──────────  ─────  ────────  ───────
30 days   ${ahead30}  1,790     1,790    1,790
90 days   ${ahead90}  2,390     2,390    2,390
365 days  ${ahead365}  5,140     5,140    5,140

2,000 rows: between ${reached} and ${reached}

from 50 of the last 90 days (50 imported); ranges hold in 95 of 100 cases
`,
  )
})

test('too few days are one line, and the key is told nevertheless, with what to do', async (t) => {
  const db = await createHistory(t, growing(3, 5))
  await db.sql`create table public.orders (id serial primary key)`
  await db.sql`select setval('public.orders_id_seq', 2147483647)`
  await collect(db.sql)

  const { status, stdout } = await tableMetrics(
    t,
    db.url,
    ['forecast', 'orders', '--rows', '9'].with(1, 'public.orders'),
  )

  t.is(status, 0)
  t.is(
    stdout,
    `public.orders

no forecast of its rows: 4 of the last 90 days have a count, 14 are needed

key id (integer): at 2,147,483,647 of 2,147,483,647, 100 % used
by its sequence public.orders_id_seq
it has run out: no row can be inserted
mend it with: alter table public.orders alter column id type bigint; alter sequence public.orders_id_seq as bigint no maxvalue;
`,
  )
})

test('a key whose pace is not known says so, and claims nothing', async (t) => {
  const db = await createHistory(t, growing(20, 5))
  await db.sql`create table public.orders (id integer generated always as identity primary key)`

  const { stdout } = await tableMetrics(t, db.url, ['forecast', 'public.orders'])

  t.regex(stdout, /^key id \(integer\): at 0 of 2,147,483,647, 0 % used$/m)
  t.regex(stdout, /^(when it runs out is not known|it runs out by .*)$/m)
  t.regex(stdout, /^its position is known on 0 days, 15 are needed$/m)
  t.notRegex(stdout, /mend it/)
})

test('a last day off the line is said to be', async (t) => {
  const db = await createHistory(t, { ...growing(20, 1000), 1: { public: { orders: 0 } } })

  const { stdout } = await tableMetrics(t, db.url, ['forecast', 'public.orders'])

  t.regex(
    stdout,
    /^0 rows on .*, by the line 1,190\nthe last day is off the line: .*\n.* by the line\n\+10 rows a day/m,
  )
})

test('--json prints what the function answers', async (t) => {
  const db = await createHistory(t, growing(20, 5))

  const { stdout } = await tableMetrics(t, db.url, ['forecast', 'public.orders', '--json', '--days', '15'])

  const [{ json }] = await db.sql<[{ json: string }]>`
    select nms.forecast_report('public', 'orders', days => 15)::text as json
  `
  t.is(stdout, `${json}\n`)
})

test('a name acts on no terminal', async (t) => {
  const db = await createHistory(t, {})
  const name = 'or\u001b[31mders\n'
  for (let ago = 1; ago <= 20; ago++)
    await db.sql`select nms.import_run(${await daysAgo(db.sql, ago)}::date, ${db.sql.json({ public: { [name]: ago } })})`

  const { status, stdout } = await tableMetrics(t, db.url, ['forecast', `public.${name}`])

  t.is(status, 0)
  t.true(stdout.startsWith('public.or\\u001b[31mders\\u000a\n'), stdout)
})

for (const [args, ...expected] of [
  [['public.ordres'], 'public.orders'],
  [['public.orders', '--rows', '1e6'], '--rows', '1e6', '9223372036854775807'],
  [['public.orders', '--rows', '9223372036854775808'], '--rows'],
  [['public.orders', '--days', '13'], '14 to 366'],
  [['public.orders', '--days', '367'], '--days', '366'],
] as const) {
  test(`one clear message for forecast ${args.join(' ')}`, async (t) => {
    const db = await createHistory(t, growing(1, 5))

    failsClearly(t, await tableMetrics(t, db.url, ['forecast', ...args]), ...expected)
  })
}
