// The pages of one table, of two days and of runs, as a browser shows them and a person uses them.

import test, { type ExecutionContext } from 'ava'
import type { Page } from 'playwright-core'
import { closeBrowser, openPage, servePages } from '../_support/browser.ts'
import { createDatabase } from '../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../_support/history.ts'
import { rebuildSnapshots } from '../_support/reader.ts'

test.after.always(closeBrowser)

const reason = `1 of 2 tables could not be counted. ${'<b>no</b> '.repeat(40)}`

/** Thirty days until yesterday. Of them, the fifth has no result, the seventh leaves the orders out, the tenth has none. */
async function createMonth(t: ExecutionContext) {
  const db = await createDatabase(t)
  const runs = Array.from({ length: 30 }, (_, n): PastRun => {
    const rest = { 'public.items': 7 }
    const counts = { ...rest, 'public.orders': n === 10 ? 0 : 1000 + n }
    if (n === 5) return { day: n, status: 'FAILED', error: reason, counts: { 'public.orders': null } }
    return n === 7 ? { day: n, exclude: ['public.orders'], counts: rest } : { day: n, counts }
  })
  await writeRuns(db.sql, runs, await daysAgo(db.sql, 30))
  await rebuildSnapshots(db.sql)
  await db.sql`
    insert into nms.table_metrics_alert_log (kind, schema_name, table_name, row_count, detail, opened_at, opened_by_run)
    select 'dropped_to_zero', 'public', 'orders', 0, 'empty, 1,005 rows on 2026-11-19 (-100 %), usually about 1,005 rows', run.finished_at, run.run_id
    from nms.table_metrics_runs as run
    where run.run_id = 11
  `
  return { db, url: await servePages(t, db) }
}

const day = (db: { sql: Parameters<typeof daysAgo>[0] }, n: number) => daysAgo(db.sql, 30 - n)
const orders = '/table?schema=public&table=orders'
const readout = (page: Page) => page.locator('.trend-readout').innerText()

test('arrow keys read the chart day by day, and what they read is announced', async (t) => {
  const { db, url } = await createMonth(t)
  const { page, complaints } = await openPage(t, url + orders)
  const plot = page.getByRole('group', { name: /arrow keys/ })
  const said = async (key: string) => {
    await page.keyboard.press(key)
    return readout(page)
  }

  t.regex(await readout(page), /arrow keys/)
  while (!(await plot.evaluate((each) => each === document.activeElement))) await page.keyboard.press('Tab')

  t.regex(
    await readout(page),
    new RegExp(`^${await day(db, 29)}: 1,029 rows, change \\+1, \\+0\\.1\u00a0%, expected \\d+ to 1,\\d+$`),
  )
  t.regex(await said('ArrowLeft'), new RegExp(`^${await day(db, 28)}: 1,028 rows`))
  t.is(await said('Home'), `${await day(db, 0)}: 1,000 rows`)
  for (let n = 0; n < 4; n++) await page.keyboard.press('ArrowRight')
  t.is(await said('ArrowRight'), `${await day(db, 5)}: no result`)
  await page.keyboard.press('ArrowRight')
  t.is(await said('ArrowRight'), `${await day(db, 7)}: left out`)
  for (let n = 0; n < 2; n++) await page.keyboard.press('ArrowRight')
  t.regex(await said('ArrowRight'), new RegExp(`^${await day(db, 10)}: 0 rows, change −1,009, −100.0`))
  t.is(await page.locator('.trend-readout').getAttribute('aria-live'), 'polite')
  t.is(await page.locator('.trend-cursor circle').getAttribute('cy'), '260')

  t.regex(await said('Escape'), /arrow keys/)
  t.false(await page.locator('.trend-cursor line').isVisible())
  t.deepEqual(complaints, [])
})

test('a pointer reads the day that it is over', async (t) => {
  const { db, url } = await createMonth(t)
  const { page } = await openPage(t, url + orders)
  const box = await page.locator('.trend-plot > svg').boundingBox()
  if (!box) return t.fail()
  const pointAt = (n: number) => page.mouse.move(box.x + (box.width * (n + 0.5)) / 30, box.y + 100)

  await pointAt(10)
  t.regex(await readout(page), new RegExp(`^${await day(db, 10)}: 0 rows`))
  await pointAt(0)
  t.regex(await readout(page), new RegExp(`^${await day(db, 0)}: 1,000 rows`))
  await page.mouse.move(0, 0)
  t.regex(await readout(page), /^Point at a day/)
})

test('the chart has its line from the lowest day to the highest, and an alert where it happened', async (t) => {
  const { url } = await createMonth(t)
  const { page } = await openPage(t, url + orders)
  const boxOf = async (selector: string) => (await page.locator(selector).first().boundingBox()) ?? t.fail()
  const [line, marker, plot] = [
    await boxOf('.trend-line'),
    await boxOf('.trend-alert path'),
    await boxOf('.trend-plot > svg'),
  ]
  if (!line || !marker || !plot) return

  const middle = marker.x + marker.width / 2
  t.true(Math.abs(middle - (plot.x + (plot.width * 10.5) / 30)) < 1.5, String(middle))
  t.true(Math.abs(marker.y + marker.height / 2 - (line.y + line.height)) < 4)
  t.true(line.width > plot.width * 0.9)
  t.is(await page.locator('.trend-alert text').innerHTML(), '1')
  t.regex(await page.locator('.alerts').innerText(), /^1\s+\S+ dropped to zero\s+empty, 1,005 rows/)
})

test('without scripts the numbers say the same as the chart, and links choose the days', async (t) => {
  const { db, url } = await createMonth(t)
  const { page, complaints } = await openPage(t, url + orders, { javaScriptEnabled: false })

  const rows = await page.locator('tr[data-date]').allInnerTexts()
  t.is(rows.length, 29)
  t.regex(rows[0] ?? '', new RegExp(`^${await day(db, 29)}\\s+1,029\\s+\\+1\\s`))
  t.is(
    await page
      .locator('tr', { hasText: await day(db, 5) })
      .innerText()
      .then((text) => text.includes('no result')),
    true,
  )
  t.is(await page.locator('.trend-readout').innerText(), '')
  await page.getByRole('link', { name: 'a year' }).click()
  t.is(new URL(page.url()).search, '?schema=public&table=orders&days=365')
  t.is(await page.getByRole('link', { name: 'a year' }).getAttribute('aria-current'), 'page')
  t.deepEqual(complaints, [])
})

test('two days are compared by their dates or by their runs, and the address can be sent', async (t) => {
  const { db, url } = await createMonth(t)
  const { page, complaints } = await openPage(t, `${url}/compare`)
  t.deepEqual(
    await page
      .getByLabel(/Before|After/)
      .evaluateAll((all) => all.map((each) => (each as HTMLInputElement).value)),
    [await day(db, 28), await day(db, 29)],
  )

  await page.getByLabel('Before').fill('10')
  await page.getByLabel('After').fill(await day(db, 10))
  await page.getByLabel('Filter').fill('ORD')
  await page.getByRole('button', { name: 'Compare' }).click()

  t.is(new URL(page.url()).search, `?before=10&after=${await day(db, 10)}&filter=ORD`)
  t.regex(
    await page.locator('tbody').innerText(),
    /^public\.orders\s+shrank\s+−1,009\s+−100\.0\s%\s+1,009\s+0$/,
  )
  await page.getByRole('link', { name: /in all/ }).click()
  t.is(await page.locator('tbody tr').count(), 1)
  t.is(await page.getByLabel('Before').inputValue(), '10')
  t.deepEqual(complaints, [])
})

test('a run that failed is found in the list, and says what failed, why, and what to do', async (t) => {
  const { url } = await createMonth(t)
  const { page, complaints } = await openPage(t, `${url}/runs`)

  t.is(await page.locator('tbody tr').count(), 30)
  await page.locator('tbody tr', { hasText: 'FAILED' }).getByRole('link', { name: '6' }).first().click()

  t.is(new URL(page.url()).pathname, '/runs/6')
  t.regex(await page.locator('pre.reason').innerText(), /<b>no<\/b>/)
  t.regex(
    await page.locator('.alerts', { hasText: 'What to do' }).innerText(),
    /^42501\s+public\.orders\s+permission denied\. What to do: let the owner/,
  )
  t.deepEqual(complaints, [])
})

test('what there is not is a 404 that names the nearest, what nobody understands is a 400', async (t) => {
  const { url } = await createMonth(t)
  const status = async (path: string) => {
    const answer = await fetch(url + path, { headers: { accept: 'text/html' } })
    return [
      answer.status,
      /<main.*<\/main>/s.exec(await answer.text())?.[0].replaceAll(/<[^>]+>/g, ' '),
    ] as const
  }

  for (const [path, code, text] of [
    ['/table?schema=public&table=ordesr', 404, /public\.orders/],
    ['/compare?before=99', 404, /99/],
    ['/runs/99', 404, /30/],
    ['/runs/0', 400, /run_id/],
    ['/table?schema=public&table=orders&days=1e2', 400, /days/],
    ['/table?schema=public', 400, /table/],
    ['/compare?before=2026-13-45', 400, /2026-13-45/],
    ['/runs?after=3', 400, /after/],
  ] as const) {
    const [found, words] = await status(path)
    t.is(found, code, path)
    t.regex(words ?? '', text, path)
  }
})
