// What opens every morning: the day's totals and tables, and what is wrong.

import test, { type ExecutionContext } from 'ava'
import type { Page } from 'playwright-core'
import { refuseToCount } from '../_support/alert_shop.ts'
import { closeBrowser, openPage, servePages } from '../_support/browser.ts'
import { collect, createDatabase } from '../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../_support/history.ts'
import { rebuildSnapshots } from '../_support/reader.ts'

test.after.always(closeBrowser)

/** A database whose last run is of today, or of so many days ago. */
async function createDays(t: ExecutionContext, runs: PastRun[], ago = 0) {
  const db = await createDatabase(t)
  const last = Math.max(...runs.map(({ day }) => day))
  await writeRuns(db.sql, runs, await daysAgo(db.sql, last + ago))
  await rebuildSnapshots(db.sql)
  return { db, url: await servePages(t, db) }
}

/** The texts of the rows of the table of tables, as they are seen. */
function shownRows(page: Page): Promise<string[][]> {
  return page.evaluate(`
    [...document.querySelectorAll('.tables tbody tr')]
      .filter((row) => row.checkVisibility())
      .map((row) => [...row.cells].filter((cell) => !cell.classList.contains('spark')).map((cell) => cell.textContent))
  `)
}

const figure = (page: Page, title: string) =>
  page.locator('.figures > div', { has: page.locator('dt', { hasText: title }) })

test('a day has its totals, each row counted once, and every table with rows, change and per cent', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create schema shop;
    create table shop.orders (id integer) partition by list (id);
    create table shop.orders_1 partition of shop.orders for values in (1);
    create table shop.orders_2 partition of shop.orders for values in (2);
    insert into shop.orders select 1 from generate_series(1, 30);
    insert into shop.orders select 2 from generate_series(1, 20);
    create table shop.customers as select generate_series(1, 1250) as id;
  `)
  const counts = { 'shop.orders': 40, 'shop.customers': 1251, 'shop.old': 3 }
  await writeRuns(db.sql, [{ day: 0, counts }], await daysAgo(db.sql, 1))
  await rebuildSnapshots(db.sql)
  await collect(db.sql)

  const { page, complaints } = await openPage(t, await servePages(t, db))

  t.deepEqual(await shownRows(page), [
    ['shop.customers', '1,250', '−1', '−0.1\u00a0%'],
    ['shop.orders partitioned', '50', '+10', '+25.0\u00a0%'],
    ['shop.orders_1 partition', '30', '', ''],
    ['shop.orders_2 partition', '20', '', ''],
  ])
  const totals = await figure(page, 'Rows').innerText()
  t.regex(totals, /^Rows\s1,300\s/)
  t.regex(await figure(page, 'Tables').innerText(), /^Tables\s4\s2 of them are partitions/)
  t.regex(await figure(page, 'Last run').innerText(), /SUCCEEDED/)
  const changed = await page.locator('.changes tbody th').allInnerTexts()
  t.deepEqual(changed, [
    'shop.orders_1 partition appeared',
    'shop.orders_2 partition appeared',
    'shop.orders partitioned',
    'shop.old disappeared',
    'shop.customers',
  ])
  t.deepEqual(complaints, [])
})

test('a table that could not be counted says why, and is not 0', async (t) => {
  const db = await createDatabase(t)
  await db.sql`create table public.known as select generate_series(1, 7) as id`
  await collect(db.sql)
  await db.sql`create table public.locked as select 1 as id`
  await refuseToCount(db, 'public.known, public.locked')
  const run = await collect(db.sql)
  t.is(run.status, 'FAILED')

  const { page } = await openPage(t, await servePages(t, db))

  const reason = 'canceling statement due to lock timeout (55P03)'
  t.deepEqual(await shownRows(page), [
    [`public.knownnot counted by run ${run.run_id}: ${reason}`, '7', '', ''],
    [`public.lockednot counted: ${reason}`, 'not counted', '', ''],
  ])
  t.true(await page.getByRole('heading', { name: `Run ${run.run_id} failed` }).isVisible())
  t.true(await page.getByText(reason).first().isVisible())
  t.regex(await figure(page, 'Last run').innerText(), /FAILED/)
})

test('a day without a result says so, and leads to the nearest ones', async (t) => {
  const { db, url } = await createDays(t, [
    { day: 0, counts: { 'shop.orders': 1 } },
    { day: 1, status: 'FAILED', error: 'the disk was full', counts: { 'shop.orders': null } },
    { day: 3, counts: { 'shop.orders': 4 } },
  ])
  const [first, failed, without, last] = await Promise.all([3, 2, 1, 0].map((ago) => daysAgo(db.sql, ago)))

  const { page } = await openPage(t, `${url}/?date=${without}`)
  t.true(await page.getByText('No run has counted on it.').isVisible())
  const links = await page
    .locator('.notice a')
    .evaluateAll((all) => all.map((each) => each.getAttribute('href')))
  t.deepEqual(links, [`/?date=${first}`, `/?date=${last}`])
  t.deepEqual(await shownRows(page), [])

  await page.goto(`${url}/?date=${failed}`)
  t.true(await page.getByText('the disk was full').isVisible())
  t.deepEqual(await shownRows(page), [
    ['shop.ordersnot counted: permission denied (42501)', 'not counted', '', ''],
  ])

  await page.goto(`${url}/?date=${first}`)
  t.deepEqual(await shownRows(page), [['shop.orders', '1', '', '']])
  t.deepEqual(
    await Promise.all(
      [without, failed, first].map(async (day) => (await fetch(`${url}/?date=${day}`)).status),
    ),
    [404, 404, 200],
  )
})

test('a page of an older day says that today has no result yet', async (t) => {
  const { db, url } = await createDays(t, [{ day: 0, counts: { 'shop.orders': 4 } }], 1)
  await db.sql`insert into nms.table_metrics_alert_rules (kind, late_after) values ('run_late', '30 days')`

  const { page } = await openPage(t, url)

  t.regex(await page.locator('.notice').innerText(), /^Today, .+ has no result yet\. It is due by /)
  t.regex(await figure(page, 'Today').innerText(), /no run yet/)
  t.deepEqual(await shownRows(page), [['shop.orders', '4', '', '']])
})

test('an install that has not counted says what to type', async (t) => {
  const { page, complaints } = await openPage(t, await servePages(t, await createDatabase(t)))

  t.deepEqual(await page.locator('pre').allInnerTexts(), [
    'table-metrics collect',
    'select * from nms.collect_table_metrics();',
    'table-metrics worker',
  ])
  t.deepEqual(complaints, [])
})

const four: PastRun[] = [
  { day: 0, counts: { 'a.one': '9007199254740993', 'a.two': 200, 'b.three': 300, 'b.four': 0 } },
  { day: 1, counts: { 'a.one': '9007199254740995', 'a.two': 100, 'b.three': 900, 'b.five': 5 } },
]
const orders = {
  'sort=name&dir=asc': ['a.one', 'a.two', 'b.five', 'b.three'],
  'sort=name&dir=desc': ['b.three', 'b.five', 'a.two', 'a.one'],
  'sort=rows&dir=desc': ['a.one', 'b.three', 'a.two', 'b.five'],
  'sort=rows&dir=asc': ['b.five', 'a.two', 'b.three', 'a.one'],
  'sort=change&dir=desc': ['b.three', 'a.one', 'a.two', 'b.five'],
  'sort=change&dir=asc': ['a.two', 'a.one', 'b.three', 'b.five'],
  'sort=percent&dir=desc': ['b.three', 'a.one', 'a.two', 'b.five'],
  'sort=percent&dir=asc': ['a.two', 'a.one', 'b.three', 'b.five'],
}
const names = async (page: Page) => (await shownRows(page)).map(([name]) => name)

test('without scripts, links sort and a form filters', async (t) => {
  const { url } = await createDays(t, four)
  const { page, complaints } = await openPage(t, url, { javaScriptEnabled: false })
  const shown = () =>
    page
      .locator('.tables tbody tr:not([hidden]) a.name')
      .evaluateAll((all) => all.map((each) => each.textContent))

  for (const [query, order] of Object.entries(orders)) {
    await page.goto(`${url}/?${query}`)
    t.deepEqual(await shown(), order, query)
  }
  t.is(await page.locator('.tables tbody td:nth-child(3)').nth(1).innerText(), '9,007,199,254,740,995')

  await page.getByRole('link', { name: 'Rows' }).click()
  t.deepEqual(await shown(), orders['sort=rows&dir=desc'])
  await page.getByRole('link', { name: 'Rows' }).click()
  t.deepEqual(await shown(), orders['sort=rows&dir=asc'])
  t.is(await page.locator('th[aria-sort]').getAttribute('aria-sort'), 'ascending')

  await page.getByLabel('Filter by name').fill('B.')
  await page.getByRole('button', { name: 'Filter' }).click()
  t.deepEqual(await shown(), ['b.five', 'b.three'])
  t.is(await page.locator('#found').innerText(), '2 of 4 tables')
  t.deepEqual(complaints, [])
})

test('with scripts, the same happens at once, and the address says it', async (t) => {
  const { url } = await createDays(t, four)
  const { page, complaints } = await openPage(t, url)
  const requests: string[] = []
  page.on('request', (request) => {
    if (!request.url().endsWith('/assets/icon.svg')) requests.push(request.url())
  })

  for (const title of ['Table', 'Rows', 'Change', 'Per cent']) {
    for (const _ of ['first', 'second']) {
      await page.locator('.tables thead').getByRole('link', { name: title }).click()
      const query = new URL(page.url()).search.slice(1) as keyof typeof orders
      t.deepEqual(await names(page), orders[query], query)
    }
  }
  await page.getByLabel('Filter by name').pressSequentially('B.')
  t.deepEqual(await names(page), ['b.three', 'b.five'])
  t.is(await page.locator('#found').innerText(), '2 of 4 tables')
  t.deepEqual(requests, [])

  const { page: colleague } = await openPage(t, page.url())
  t.deepEqual(await names(colleague), ['b.three', 'b.five'])
  t.is(await colleague.getByLabel('Filter by name').inputValue(), 'B.')
  await colleague.getByLabel('Filter by name').clear()
  t.deepEqual((await names(colleague)).toSorted(), orders['sort=name&dir=asc'])
  t.deepEqual(complaints, [])
})

test('everything is reached with the keyboard', async (t) => {
  const { url } = await createDays(t, four)
  const { page } = await openPage(t, url)
  const focused = () => page.evaluate('document.activeElement.innerText || document.activeElement.name')

  await page.keyboard.press('Tab')
  t.is(await focused(), 'Skip to the content')
  await page.keyboard.press('Enter')
  const met: unknown[] = []
  for (let n = 0; n < 60; n++) {
    await page.keyboard.press('Tab')
    met.push(await focused())
    if (met.at(-1) === 'filter') {
      await page.keyboard.type('b.')
      t.deepEqual(await names(page), ['b.three', 'b.five'])
    }
    if (String(met.at(-1)).startsWith('Table')) {
      await page.keyboard.press('Enter')
      t.deepEqual(await names(page), ['b.five', 'b.three'])
      break
    }
  }
  t.true(met.includes('date') && met.includes('Show') && met.includes('filter'), String(met))
  t.false(met.includes('Compare')) // it was skipped
})
