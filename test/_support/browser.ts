import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { TestDatabase } from './database.ts'
import { hang } from './eventually.ts'
import { rolesScript } from './reader.ts'
import { startTestService } from './service.ts'

/** Serves the pages of a database to a login that may read and nothing else, until the test ends. */
export async function servePages(t: ExecutionContext, db: TestDatabase): Promise<string> {
  await db.connect().unsafe(rolesScript)
  const { url } = await db.createRole('in role table_metrics_reader')
  return (await startTestService(t, url)).url
}

/** A page in a browser. */
export interface OpenPage {
  page: Page
  /** What a developer would see in red: errors, refusals of the content security policy, requests that failed. */
  complaints: string[]
}

let browser: Promise<Browser> | undefined

/** Opens an address in Debian's Chromium, one for all pages of a test file. */
export async function openPage(
  t: ExecutionContext,
  address: string,
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  browser ??= chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox'],
    timeout: hang * 1000,
  })
  const context = await (await browser).newContext({ viewport: { width: 1280, height: 900 }, ...options })
  context.setDefaultTimeout(hang * 1000)
  t.teardown(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? ''
    // What a page still loads when another one is opened.
    if (reason !== 'net::ERR_ABORTED') complaints.push(`${reason}: ${request.url()}`)
  })
  page.on('console', (message) => {
    if (/^(error|warning)$/.test(message.type())) complaints.push(message.text())
  })
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  await page.goto(address)
  return { page, complaints }
}

/** To call when all tests of a file have ended. */
export async function closeBrowser(): Promise<void> {
  await (await browser)?.close()
}

const axe = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')

interface Finding {
  id: string
  nodes: { html: string; failureSummary: string }[]
}

/**
 * What axe finds wrong with a page, as lines; its policy has to be bypassed for that: `bypassCSP`. Of rows that are all
 * alike it is left with the first.
 */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(
    "for (const row of document.querySelectorAll('tbody tr:nth-child(n + 40)')) row.remove()",
  )
  await page.evaluate(axe)
  const findings = await page.evaluate<Finding[]>(
    "axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations)",
  )
  return findings.flatMap(({ id, nodes }) =>
    nodes.slice(0, 3).map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
  )
}

/** By how many pixels a page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
}
