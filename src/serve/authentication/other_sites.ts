import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '../problem.ts'

/**
 * Browsers send the password of Basic also for pages of others, and reach loopback for them.
 *
 * @throws a Problem, 403, for what the page of another site wants to change here
 */
export function refuseOtherSites(method: string, headers: IncomingHttpHeaders): void {
  if (['GET', 'HEAD', 'OPTIONS'].includes(method)) return
  const { origin, host, 'sec-fetch-site': from = 'none' } = headers
  const isOurs = origin === undefined || (URL.canParse(origin) && new URL(origin).host === host)
  if (isOurs && (from === 'same-origin' || from === 'none')) return
  throw new Problem(403, 'this came from a page of another site, which may change nothing here')
}
