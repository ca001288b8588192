// What holds for every page: nothing runs that is not ours, nothing is out of reach, nothing is wider than a phone.

import test, { type ExecutionContext } from 'ava'
import type { Page } from 'playwright-core'
import { visible } from '../../src/terminal/visible.ts'
import { accessibilityProblems, closeBrowser, openPage, overflow, servePages } from '../_support/browser.ts'
import { createDatabase, type TestDatabase } from '../_support/database.ts'
import { daysAgo, writeRuns } from '../_support/history.ts'
import { hostileNames } from '../_support/hostile_tables.ts'
import { rebuildSnapshots } from '../_support/reader.ts'

test.after.always(closeBrowser)

const looks = (['light', 'dark'] as const).flatMap((colorScheme) =>
  [360, 1280].map((width) => ({ colorScheme, viewport: { width, height: 800 } })),
)
/** A table of this name; its schema has the same, but for dots. */
const schemaOf = (name: string) => name.replaceAll('.', '')
const shownAs = (name: string) => `${visible(schemaOf(name))}.${visible(name)}`
const addressOf = (name: string) => `/table?${new URLSearchParams({ schema: schemaOf(name), table: name })}`

/** Some days, then a drop of every hostile table, then a run that could not count them. */
async function createHostile(t: ExecutionContext, others: number, length = 20): Promise<TestDatabase> {
  const db = await createDatabase(t)
  const hostile = (rows: number | null) =>
    Object.fromEntries(hostileNames.map((name) => [`${schemaOf(name)}.${name}`, rows]))
  const calm = {
    ...Object.fromEntries(Array.from({ length: others }, (_, n) => [`s${n % 20}.table_${n}`, n * 17])),
    'public.huge': '9223372036854775807',
  }
  const days = [...Array(length).keys()].map((day) => ({ day, counts: { ...calm, ...hostile(5000 + day) } }))
  const last = await writeRuns(
    db.sql,
    [...days, { day: length, counts: { ...calm, ...hostile(3) } }],
    await daysAgo(db.sql, length + 1),
  )
  await rebuildSnapshots(db.sql)
  await db.sql`select nms.record_alerts(run_id => ${last})`
  const error = hostileNames.join(' ')
  await writeRuns(
    db.sql,
    [{ day: 0, status: 'FAILED', counts: hostile(null), error }],
    await daysAgo(db.sql, 0),
  )
  await db.sql`analyze`
  return db
}

test('every page is for everybody, on a phone and on a desk, by day and by night', async (t) => {
  const db = await createHostile(t, 3)
  const url = await servePages(t, db)
  const [run] = await db.sql<[{ first: string; last: string }]>`
    select min(run_id) as first, max(run_id) as last from nms.table_metrics_runs
  `
  const addresses = [
    '/',
    `/?date=${await daysAgo(db.sql, 0)}`,
    '/?filter=script&sort=name&dir=asc',
    '/alerts',
    '/runs',
    `/runs/${run.last}`,
    `/runs/${run.first}`,
    '/compare',
    '/compare?before=20&after=21&outcome=all',
    '/table?schema=public&table=huge&days=all',
    addressOf(hostileNames[0] as string),
    addressOf('x'.repeat(63)),
    '/no/such/page',
    '/?date=tomorrow',
  ]
  const found: string[] = []
  for (const look of looks) {
    const { page, complaints } = await openPage(t, `${url}/`, { ...look, bypassCSP: true })
    for (const address of addresses) {
      await page.goto(url + address)
      const where = `${address} ${look.colorScheme} ${look.viewport.width}`
      found.push(...(await accessibilityProblems(page)).map((problem) => `${where}: ${problem}`))
      const tooWide = await overflow(page)
      if (tooWide > 0) found.push(`${where}: ${tooWide} pixels too wide`)
    }
    found.push(...complaints.filter((each) => !/the server responded with a status of 40[04]/.test(each)))
  }
  t.deepEqual(found, [])
})

test('names are shown as they are, and lead to their tables', async (t) => {
  const url = await servePages(t, await createHostile(t, 1))
  const { page, complaints } = await openPage(t, url)
  const links = () => page.locator('.tables a.name').evaluateAll((all) => all.map((each) => each.textContent))

  const expected = [...hostileNames.map(shownAs), 's0.table_0', 'public.huge']
  t.deepEqual((await links()).toSorted(), expected.toSorted())
  t.is(await page.locator('h1').count(), 1)
  for (const name of hostileNames) {
    await page.goto(url)
    await page
      .locator('.tables')
      .getByRole('link', { name: shownAs(name), exact: true })
      .click()
    t.is(new URL(page.url()).pathname, '/table', name)
    t.is(await page.locator('h1').textContent(), shownAs(name))
    t.is(await page.locator('h1').count(), 1)
  }
  for (const address of ['/alerts', '/runs', '/compare', '/runs/21', '/?filter=%3Cscript%3E']) {
    await page.goto(url + address)
    t.is(await page.locator('h1').count(), 1, address)
  }
  t.deepEqual(complaints, [])
})

test('5,000 tables are one page, which filters and sorts at once', async (t) => {
  const db = await createHostile(t, 5000 - hostileNames.length - 1, 5)
  const url = await servePages(t, db)
  const { page, complaints } = await openPage(t, url)
  const phone = { viewport: { width: 360, height: 800 }, bypassCSP: true }
  const { page: small } = await openPage(t, url, phone)

  t.deepEqual(await accessibilityProblems(small), [])
  t.is(await overflow(small), 0)
  t.is(await page.locator('.tables tbody tr').count(), 5000)
  t.is(await page.locator('#found').innerText(), '5,000 tables')
  await page.getByLabel('Filter by name').fill('TABLE_123')
  t.deepEqual(
    await shownNames(page),
    [1239, 1238, 1237, 1236, 1235, 1234, 1233, 1232, 1231, 1230, 123].map((n) => `s${n % 20}.table_${n}`),
  )
  await page.locator('.tables').getByRole('link', { name: 'Table', exact: true }).click()
  t.is((await shownNames(page))[0], 's10.table_1230')
  t.deepEqual(complaints, [])
})

function shownNames(page: Page): Promise<string[]> {
  return page.evaluate(
    "[...document.querySelectorAll('.tables tbody tr')].filter((row) => !row.hidden).map((row) => row.querySelector('a.name').textContent)",
  )
}

test('alerts that are open come first, then the log of all', async (t) => {
  const db = await createDatabase(t)
  const today = await daysAgo(db.sql, 0)
  for (const [place, rows] of [...Array(20).fill(1000), 3, 1000, 0].entries()) {
    const counts = { 'public.orders': rows }
    const run = await writeRuns(db.sql, [{ day: place - 22, counts }], today)
    await rebuildSnapshots(db.sql)
    await db.sql`select nms.record_alerts(run_id => ${run})`
  }

  const { page, complaints } = await openPage(t, `${await servePages(t, db)}/alerts`)

  t.is(await page.locator('.status').innerText(), '1 alert open.')
  t.regex(await page.locator('.alerts').innerText(), /^dropped to zero\s+public\.orders\s/)
  const logged = await page.locator('.log tbody tr').allInnerTexts()
  t.is(logged.length, 2)
  t.regex(logged[0] as string, /\sopen\s.*dropped to zero/s)
  t.notRegex(logged[1] as string, /\sopen\s/)
  t.regex(logged[1] as string, /drop\s/)

  await db.sql`select nms.acknowledge_alert(alert_id, '<b>moved</b>') from nms.table_metrics_alerts`
  await page.reload()
  t.is(await page.locator('.status').innerText(), '0 alerts open, 1 acknowledged.')
  t.regex(await page.locator('.alerts').innerText(), /\sacknowledged by \w+, .*: <b>moved<\/b>$/)
  t.deepEqual(complaints, [])
})

test('a browser gets a page of a problem, a program its JSON', async (t) => {
  const url = await servePages(t, await createDatabase(t))
  const ask = (path: string, accept: string) => fetch(url + path, { headers: { accept } })
  const browser = 'text/html,application/xhtml+xml,*/*;q=0.8'

  for (const [path, status] of [
    ['/nothing', 404],
    ['/?date=2026-02-30', 400],
    ['/?colour=red', 400],
    ['/?sort=size', 400],
    ['/runs/7', 404],
  ] as const) {
    const page = await ask(path, browser)
    t.is(page.status, status, path)
    t.is(page.headers.get('content-type'), 'text/html; charset=utf-8', path)
    t.regex(
      page.headers.get('content-security-policy') ?? '',
      /^default-src 'none'; .*require-trusted-types-for 'script'$/,
    )
    const json = await ask(path, '*/*')
    t.is(json.status, status, path)
    t.regex(json.headers.get('content-type') ?? '', /^application\/problem\+json\b/, path)
    const { title, detail } = (await json.json()) as { title: string; detail: string }
    const text = await page.text()
    t.true(text.includes(`<h1>${title}</h1>`) && text.includes(detail.split(/["'<]/)[0] as string), text)
  }
})

test('what pages load are a few files, asked for again only when they have changed', async (t) => {
  const url = await servePages(t, await createDatabase(t))
  const types = {
    '/assets/page.css': 'text/css; charset=utf-8',
    '/assets/page.js': 'text/javascript; charset=utf-8',
    '/assets/icon.svg': 'image/svg+xml',
    '/favicon.ico': 'image/svg+xml',
  }
  for (const [path, type] of Object.entries(types)) {
    const first = await fetch(url + path)
    t.is(first.status, 200, path)
    t.is(first.headers.get('content-type'), type)
    t.is(first.headers.get('x-content-type-options'), 'nosniff')
    const etag = first.headers.get('etag') ?? ''
    t.is((await fetch(url + path, { headers: { 'if-none-match': etag } })).status, 304)
  }
  for (const path of [
    '/assets/',
    '/assets/nothing',
    '/assets/..%2fpackage.json',
    '/assets/%2e%2e/package.json',
  ]) {
    t.is((await fetch(url + path)).status, 404, path)
  }
})
