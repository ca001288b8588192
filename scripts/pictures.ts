// npm run pictures: docs/pictures/*.png, the pages of the sample shop after five weeks that are made up, in Debian's Chromium.
import { mkdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import postgres from 'postgres'
import { startTemporaryServer } from '../demo/embedded/server.ts'
import { runMain } from '../src/errors.ts'
import { migrate } from '../src/install/migrate.ts'
import { reportPage } from '../src/page/report/report.ts'
import { inlineStyle } from '../src/page/report/style.ts'
import { parseExactly } from '../src/reading/exact_json.ts'
import type { Period } from '../src/reading/period.ts'
import { startService } from '../src/serve/serve.ts'

const folder = fileURLToPath(new URL('../docs/pictures/', import.meta.url))

/** Of pages that are served. */
const pictures = [
  ['today', '/', 840],
  ['table', '/table?schema=Warehouse&table=Stock+Movements&days=30', 690],
] as const

await runMain(async () => {
  const server = await startTemporaryServer({ settings: { fsync: 'off' } })
  try {
    const url = server.url('shop')
    await makeShop(server.url('postgres'), url)
    const log = { record: () => undefined }
    const service = await startService({
      databaseUrl: url,
      host: '127.0.0.1',
      port: 0,
      authentication: undefined,
      log,
    })
    await takePictures(service.url, await fourWeeks(url)).finally(service.stop)
  } finally {
    await server.stop()
  }
})

async function makeShop(adminUrl: string, url: string): Promise<void> {
  const admin = postgres(adminUrl, { max: 1 })
  await admin`create database shop`
  await admin.end()
  await migrate(url)
  const sql = postgres(url, { max: 1, onnotice: () => undefined })
  for (const script of ['../demo/sample/shop.sql', '_pictures/month.sql']) {
    await sql.unsafe(await readFile(new URL(script, import.meta.url), 'utf8'))
  }
  await sql.end()
}

/** The report of that shop. */
async function fourWeeks(url: string): Promise<string> {
  const sql = postgres(url, { max: 1 })
  const [{ json }] = await sql<[{ json: string }]>`
    select nms.period_report(since => nms.find_day('4w'))::text as json
  `
  await sql.end()
  return reportPage(parseExactly<Period>(json), await inlineStyle())
}

async function takePictures(url: string, report: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [name, path, height] of pictures) {
      const page = await browser.newPage({ colorScheme, viewport: { width: 1280, height } })
      await page.goto(url + path)
      await page.screenshot({ path: `${folder}${name}-${colorScheme}.png` })
      await page.close()
    }
    const page = await browser.newPage({ colorScheme, viewport: { width: 1280, height: 1000 } })
    await page.setContent(report)
    await page.screenshot({ path: `${folder}report-${colorScheme}.png` })
    await page.close()
  }
  await browser.close()
}
