// How a page shows where a number comes from: an estimate is never without its mark and its range.

import test, { type ExecutionContext } from 'ava'
import type { Page } from 'playwright-core'
import { closeBrowser, openPage, servePages } from '../_support/browser.ts'
import { createDatabase } from '../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../_support/history.ts'
import { rebuildSnapshots } from '../_support/reader.ts'

test.after.always(closeBrowser)

const mega = 2 ** 20

/** Twenty days. On the last two one table is estimated, one carried, one maintained, and one counted as before. */
async function createMethods(t: ExecutionContext) {
  const db = await createDatabase(t)
  const day = (n: number): PastRun => ({
    day: n,
    counts:
      n < 18
        ? { 'public.events': 1_200_000, 'public.carried': 500, 'public.kept': 70, 'public.orders': 30 }
        : {
            'public.events': {
              rows: 1_234_000 + n,
              method: 'estimate',
              low: 1_200_000,
              high: 1_270_000,
              bytes: { table: 300 * mega, index: 20 * mega },
            },
            'public.carried': { rows: 500, method: 'carried', from: 18, bytes: { table: 8192, index: 0 } },
            'public.kept': { rows: 70 + n, method: 'maintained' },
            'public.orders': { rows: 30, filtered: { open: 7 + n, "it's": 1_000 } },
          },
  })
  await writeRuns(
    db.sql,
    Array.from({ length: 20 }, (_, n) => day(n)),
    await daysAgo(db.sql, 19),
  )
  await rebuildSnapshots(db.sql)
  return servePages(t, db)
}

/** The texts of the cells of each row, as they are read aloud. */
const cells = (page: Page, rows: string): Promise<string[][]> =>
  page.evaluate(`
    [...document.querySelectorAll(${JSON.stringify(rows)})]
      .map((row) => [...row.cells].filter((cell) => !cell.classList.contains('spark')).map((cell) => cell.textContent.trim()))
  `)

const estimate = '≈ 1,234,019 (1,200,000 to 1,270,000)'

test('the day marks what was not counted, says how much of the total is estimated, and has sizes', async (t) => {
  const { page, complaints } = await openPage(t, await createMethods(t))

  t.deepEqual(
    (await cells(page, '.tables tbody tr')).map(([name, rows, change, , size]) => [name, rows, change, size]),
    [
      ['public.events', estimate, '≈ +1', '320\u00a0MB'],
      ['public.carried', 'c 500', '0', '8.0\u00a0kB'],
      ['public.kept', 'm 89', '+1', ''],
      [`public.orders it's 1,000 open 26`, '30', '0', ''],
    ],
  )
  t.is(await page.locator('.tables abbr').first().getAttribute('title'), 'counted in run 18, unchanged since')
  const figures = await page.locator('.figures').innerText()
  t.regex(figures, /≈ 1,234,638/)
  t.regex(figures, /of which ≈ 1,234,019 are estimated/)
  t.regex(figures, /1 of them unchanged since counted/)
  t.regex(figures, /320\u00a0MB on disk/)
  t.deepEqual(complaints, [])
})

test('tables are sorted by the numbers that were estimated, and by size', async (t) => {
  const url = await createMethods(t)
  const { page } = await openPage(t, url)
  const names = async () =>
    (await cells(page, '.tables tbody tr')).map(([name]) => name?.slice(7).split(' ')[0])

  t.deepEqual(await names(), ['events', 'carried', 'kept', 'orders'])
  await page.getByRole('columnheader', { name: 'Rows' }).getByRole('link').click()
  t.deepEqual(await names(), ['orders', 'kept', 'carried', 'events'])
  await page.getByRole('columnheader', { name: 'Size' }).getByRole('link').click()
  t.deepEqual(await names(), ['events', 'carried', 'kept', 'orders'])
  await page.goto(`${url}/?sort=bytes&dir=asc`)
  t.deepEqual(await names(), ['carried', 'events', 'kept', 'orders'])
})

test('a run, its comparison with one before, and a table mark estimates as well', async (t) => {
  const url = await createMethods(t)
  const { page, complaints } = await openPage(t, `${url}/runs/20`)

  t.deepEqual(
    (await cells(page, 'main tbody tr')).find(([name]) => name === 'public.events'),
    ['public.events', 'table', estimate, '≈ +1', '+0.0\u00a0%', '320\u00a0MB'],
  )

  await page.goto(`${url}/compare?before=18&after=20&outcome=all`)
  const compared = (await cells(page, 'main tbody tr')).find(([name]) => name === 'public.events')
  t.is(compared?.[2], '≈ +34,019')
  t.deepEqual(compared?.slice(4), ['1,200,000', estimate])

  await page.goto(`${url}/table?schema=public&table=events`)
  const figures = await page.locator('.figures').innerText()
  t.regex(figures, /Last\s+≈ 1,234,019\s/)
  t.regex(figures, /First\s+1,200,000\s/)
  t.regex(figures, /Change\s+≈ \+34,019\s/)
  await page.goto(`${url}/table?schema=public&table=carried`)
  t.true((await page.locator('main').innerText()).includes('c 500'))
  t.deepEqual(complaints, [])
})

test('what matched the filters of a table has columns among its numbers, on the days that have counted them', async (t) => {
  const url = await createMethods(t)
  const { page, complaints } = await openPage(t, `${url}/table?schema=public&table=orders`)

  const numbers = 'section[aria-labelledby=numbers]'
  t.deepEqual(await page.locator(`${numbers} thead th`).allInnerTexts(), [
    'Day',
    'Rows',
    'Change',
    'Per cent',
    'Expected',
    "it's",
    'open',
    'Run',
  ])
  t.deepEqual(
    (await cells(page, `${numbers} tbody tr`)).slice(0, 3).map((row) => row.slice(5, 7)),
    [
      ['1,000', '26'],
      ['1,000', '25'],
      ['', ''],
    ],
  )
  await page.locator('.trend-plot').focus()
  await page.keyboard.press('End')
  t.regex(await page.locator('.trend-readout').innerText(), /30 rows.*it's 1,000, open 26/)
  t.deepEqual(complaints, [])
})

for (const [device, width] of [
  ['phone', 390],
  ['desktop', 1280],
] as const) {
  test(`no page is wider than a ${device}`, async (t) => {
    const url = await createMethods(t)
    for (const path of ['', '/runs/20', '/table?schema=public&table=events']) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page } = await openPage(t, url + path, { viewport: { width, height: 900 }, colorScheme })
        t.true(await page.evaluate(`document.documentElement.scrollWidth <= innerWidth`), path)
        if (process.env.PICTURES) {
          const name = `${device}-${colorScheme}-${path.replaceAll(/\W+/g, '_')}`
          await page.screenshot({ path: `${process.env.PICTURES}/${name}.png`, fullPage: true })
        }
      }
    }
  })
}
