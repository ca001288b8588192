// The report as it is seen: in a browser, on paper, by everybody.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { reportPage } from '../../src/page/report/report.ts'
import { inlineStyle } from '../../src/page/report/style.ts'
import { parseExactly } from '../../src/reading/exact_json.ts'
import type { Period } from '../../src/reading/period.ts'
import { visible } from '../../src/terminal/visible.ts'
import { accessibilityProblems, closeBrowser, openPage, overflow } from '../_support/browser.ts'
import { createDatabase } from '../_support/database.ts'
import { daysAgo, type PastRun, writeRuns } from '../_support/history.ts'
import { hostileNames } from '../_support/hostile_tables.ts'
import { ask, rebuildSnapshots } from '../_support/reader.ts'

test.after.always(closeBrowser)

const looks = (['light', 'dark'] as const).flatMap((colorScheme) =>
  [360, 1280].map((width) => ({ colorScheme, viewport: { width, height: 800 } })),
)

const schemaOf = (name: string) => name.replaceAll('.', '')
const shownAs = (name: string) => `${visible(schemaOf(name))}.${visible(name)}`
const hostile = (rows: number) =>
  Object.fromEntries(hostileNames.map((name) => [`${schemaOf(name)}.${name}`, rows]))

/** The address of a file with the report of a history that ends so many days ago. */
async function writeReport(t: ExecutionContext, runs: PastRun[], ago = 0): Promise<string> {
  const { sql } = await createDatabase(t)
  const last = Math.max(0, ...runs.map(({ day }) => day))
  for (const run of runs) {
    const run_id = await writeRuns(sql, [run], await daysAgo(sql, last + ago))
    await rebuildSnapshots(sql)
    await sql`select nms.record_alerts(run_id => ${run_id})`
  }
  const { text } = await ask(sql, 'period_report()')
  const folder = await mkdtemp(join(tmpdir(), 'report-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = join(folder, 'report.html')
  await writeFile(file, reportPage(parseExactly<Period>(text), await inlineStyle()))
  return pathToFileURL(file).href
}

/** Twenty calm days, one that failed, then a day on which most is gone. */
const eventful: PastRun[] = [
  ...[...Array(20).keys()].map((day) => ({
    day,
    counts: { ...hostile(5000 + day), 'public.huge': '9223372036854775807' },
  })),
  { day: 20, status: 'FAILED', error: hostileNames.join('\n') },
  {
    day: 21,
    counts: {
      ...Object.fromEntries(Object.entries(hostile(3)).slice(4)),
      'public.huge': '9223372036854775807',
      'public.new': 7,
      'a.vague': { rows: 50, method: 'estimate', low: 40, high: 60 },
    },
  },
]

test('a report is for everybody, on a phone and on a desk, by day and by night', async (t) => {
  const addresses = {
    eventful: await writeReport(t, eventful),
    first: await writeReport(t, [{ day: 0, counts: { 'public.orders': 1 } }]),
    nothing: await writeReport(t, []),
    away: await writeReport(t, [{ day: 0, counts: { 'public.orders': 1 } }], 20),
  }
  const found: string[] = []
  for (const look of looks) {
    for (const [name, address] of Object.entries(addresses)) {
      const { page, complaints } = await openPage(t, address, { ...look, bypassCSP: true })
      const where = `${name} ${look.colorScheme} ${look.viewport.width}`
      const tooWide = await overflow(page)
      if (tooWide > 0) found.push(`${where}: ${tooWide} pixels too wide`)
      found.push(...(await accessibilityProblems(page)).map((problem) => `${where}: ${problem}`))
      found.push(...complaints)
      await page.close()
    }
  }
  t.deepEqual(found, [])
})

test('names are shown as they are, and nothing of them is markup', async (t) => {
  const { page, complaints } = await openPage(t, await writeReport(t, eventful))

  const names = await page
    .locator('.with-rows .name')
    .evaluateAll((all) => all.map(({ textContent }) => textContent))
  t.deepEqual(
    names.toSorted(),
    [...hostileNames.map(shownAs), 'public.huge', 'public.new', 'a.vague'].toSorted(),
  )
  t.is(await page.locator('h1').count(), 1)
  t.is(await page.locator('script, img, a, link, iframe').count(), 0)
  t.deepEqual(complaints, [])
})

test('what happened is there: the days as lines, alerts, runs with their reasons, days without a result', async (t) => {
  const { page } = await openPage(t, await writeReport(t, eventful))
  const text = (selector: string) => page.locator(selector).innerText()

  t.regex(await text('.figures'), /Rows\s+≈ 9,223,372,036,854,775,/)
  t.regex(await text('.figures'), /1 failed\s+6 succeeded/)
  t.regex(await text('.figures'), /6 of 7/)
  t.regex(await text('section:has(> #runs)'), /1 day without a result: \d{4}-\d\d-\d\d\s/)
  t.true((await text('section:has(> #runs)')).includes('<script>alert(1)</script>'))
  t.regex(await text('section:has(> #alerts)'), /drop\s.*table missing\s/s)
  // Seven days and the one that they are compared with; the one that failed parts the line.
  const lines = await page.locator('#totals ~ figure .trend-plot .trend-line').getAttribute('d')
  t.is(lines?.match(/M/g)?.length, 2)
  t.is(await page.locator('.with-rows .sparkline').count(), hostileNames.length + 3)
  const vague = page.locator('.with-rows tr', { hasText: 'vague' })
  t.regex(await vague.innerText(), /≈ 50\s+\(40 to 60\)/)
})

test('on paper it is light, and no wider than the sheet', async (t) => {
  const { page } = await openPage(t, await writeReport(t, eventful), {
    colorScheme: 'dark',
    viewport: { width: 718, height: 1000 }, // A4 without its margins
  })
  const ground = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor')

  const dark = await ground()
  await page.emulateMedia({ media: 'print' })

  t.not(dark, 'rgb(255, 255, 255)')
  t.is(await ground(), 'rgb(255, 255, 255)')
  t.is(await overflow(page), 0)
})
