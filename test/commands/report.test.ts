import ava from 'ava'
import { visible } from '../../src/terminal/visible.ts'
import { createDatabase } from '../_support/database.ts'
import { createHistory, daysAgo, writeRuns } from '../_support/history.ts'
import { hostileNames } from '../_support/hostile_tables.ts'
import { failsClearly, tableMetrics } from '../_support/process.ts'
import { rebuildSnapshots } from '../_support/reader.ts'

// Each starts processes of its own.
const test = ava.serial

const days = {
  9: { public: { orders: 1 } },
  7: { public: { orders: 1000, items: 50, same: 5 }, shop: { gone: 7 } },
  1: { public: { orders: 1100, items: 20, same: 5 }, shop: { fresh: '9007199254740993' } },
}

/** The rows of the table beneath a heading, as texts of their cells. */
function rowsUnder(html: string, id: string): string[][] {
  const [, part = ''] = html.split(`<h2 id="${id}">`)
  const [, body = ''] = /<tbody>(.*?)<\/tbody>/s.exec(part.split('<h2 ')[0] as string) ?? []
  return [...body.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell = '']) => cell.replaceAll(/<[^>]*>/g, '')),
  )
}

test('report tells what grew, shrank, appeared and disappeared since a week ago', async (t) => {
  const db = await createHistory(t, days)

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['report'])

  t.is(status, 0, stderr)
  t.is(stderr, '')
  t.true(stdout.startsWith('<!doctype html>\n'))
  t.true(stdout.endsWith('</html>\n'))
  t.deepEqual(rowsUnder(stdout, 'grew'), [['public.orders', '', '+100', '+10.0\u00a0%']])
  t.deepEqual(rowsUnder(stdout, 'shrank'), [['public.items', '', '−30', '−60.0\u00a0%']])
  t.deepEqual(rowsUnder(stdout, 'appeared'), [['shop.fresh', '', '+9,007,199,254,740,993', '']])
  t.deepEqual(rowsUnder(stdout, 'disappeared'), [['shop.gone', '', '−7', '']])
  t.deepEqual(rowsUnder(stdout, 'tables'), [
    ['shop.fresh appeared', '', '9,007,199,254,740,993', '+9,007,199,254,740,993', ''],
    ['public.orders', '', '1,100', '+100', '+10.0\u00a0%'],
    ['public.items', '', '20', '−30', '−60.0\u00a0%'],
    ['shop.gone disappeared', '', '–', '−7', ''],
    ['public.same', '', '5', '0', ''],
  ])
  t.is(stdout.match(/<svg class=sparkline /g)?.length, 9)
})

test('the page has all that it needs in itself, and runs nothing', async (t) => {
  const db = await createHistory(t, days)

  const { stdout } = await tableMetrics(t, db.url, ['report'])

  t.notRegex(stdout, /https?:|<script|<link|<img|<a |<iframe|@import|url\(|\bsrc=|\bon\w+=/)
  t.is(stdout.match(/<style>/g)?.length, 1)
  t.regex(stdout, /<style>.*light-dark\(.*@media print.*<\/style>/s)
})

test('names of tables, and the message of a run, are text', async (t) => {
  const db = await createDatabase(t)
  const schemaOf = (name: string) => name.replaceAll('.', '')
  const counts = (rows: number) =>
    Object.fromEntries(hostileNames.map((name) => [`${schemaOf(name)}.${name}`, rows]))
  await writeRuns(
    db.sql,
    [
      { day: 0, counts: counts(100) },
      { day: 1, status: 'FAILED', error: hostileNames.join('\n') },
      { day: 2, counts: counts(3) },
    ],
    await daysAgo(db.sql, 2),
  )
  await rebuildSnapshots(db.sql)

  const { stdout } = await tableMetrics(t, db.url, ['report'])

  const entities: Record<string, string> = {
    '<': '&lt;',
    '>': '&gt;',
    '&': '&amp;',
    '"': '&quot;',
    "'": '&#39;',
  }
  const escaped = (text: string) => visible(text).replaceAll(/[<>&"']/g, (found) => entities[found] as string)
  const names = rowsUnder(stdout, 'tables').map(([name]) => name)
  t.deepEqual(
    names.toSorted(),
    hostileNames.map((name) => `${escaped(schemaOf(name))}.${escaped(name)}`).toSorted(),
  )
  t.true(
    stdout.includes('\n&lt;script&gt;alert(1)&lt;/script&gt;\n') ||
      stdout.includes('>&lt;script&gt;alert(1)&lt;/script&gt;\n'),
  )
  t.notRegex(stdout, /<script|<img|\u202e/)
  t.is(stdout.match(/<h1/g)?.length, 1)
})

test('of many tables a report has those that changed most, and stays small; --all has every one', async (t) => {
  const counts = (factor: number) =>
    Object.fromEntries(
      Array.from({ length: 150 }, (_, n) => [`a_table_with_a_longer_name_${n}`, 100 + factor * n]),
    )
  const db = await createHistory(t, {
    7: { a_schema: counts(0) },
    3: { a_schema: counts(2) },
    1: { a_schema: counts(3) },
  })

  const { stdout } = await tableMetrics(t, db.url, ['report'])
  const all = await tableMetrics(t, db.url, ['report', '--all'])

  t.is(rowsUnder(stdout, 'tables').length, 100)
  t.is(rowsUnder(stdout, 'tables')[0]?.[0], 'a_schema.a_table_with_a_longer_name_149')
  t.regex(stdout, /50 other tables, .*--all/)
  t.true(stdout.length < 102_000, String(stdout.length)) // where Gmail clips a message
  t.is(rowsUnder(all.stdout, 'tables').length, 150)
  t.notRegex(all.stdout, /--all/)
})

test('--since and --until name the period as everywhere, --json prints what the function says', async (t) => {
  const db = await createHistory(t, days)

  const { stdout } = await tableMetrics(t, db.url, ['report', '--since', '9d', '--until', '2d', '--json'])

  const report = JSON.parse(stdout)
  t.is(report.since, await daysAgo(db.sql, 9))
  t.is(report.until, await daysAgo(db.sql, 2))
  t.is(report.change, 1061)
  const whole = await tableMetrics(t, db.url, ['report', '--json'])
  t.true(whole.stdout.includes('9007199254740993'))
})

test('without anything counted, on the first day, and when nothing changed, the page says so', async (t) => {
  const none = await createDatabase(t)
  t.regex((await tableMetrics(t, none.url, ['report'])).stdout, /Nothing has been counted yet/)
  const { stdout: before } = await tableMetrics(t, none.url, ['report', '--until', '2020-01-01'])
  t.regex(before, /Nothing was counted up to Wednesday, 1 January 2020\./)

  const first = await createHistory(t, { 0: { public: { orders: 4 } } })
  const { stdout } = await tableMetrics(t, first.url, ['report'])
  t.regex(stdout, /first day with a result/)
  t.deepEqual(rowsUnder(stdout, 'tables'), [['public.orders', '', '4', '', '']])

  const same = await createHistory(t, { 7: { public: { orders: 4 } }, 0: { public: { orders: 4 } } })
  t.regex(
    (await tableMetrics(t, same.url, ['report'])).stdout,
    /No table has grown\..*No table has shrunk\./s,
  )
})

test('a period that makes no sense is refused', async (t) => {
  const db = await createHistory(t, days)
  for (const args of [
    ['--since', 'today'],
    ['--since', 'yesterday', '--until', '2d'],
    ['--since', 'monday'],
    ['--since', '2026-02-30'],
  ]) {
    const failed = await tableMetrics(t, db.url, ['report', ...args])
    failsClearly(t, failed)
    t.is(failed.stdout, '')
  }
})
