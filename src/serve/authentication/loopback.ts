import type { IncomingHttpHeaders } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { Problem } from '../problem.ts'
import type { Authentication } from './authentication.ts'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** True for `localhost` and addresses that only this machine reaches; other names may mean anything. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true
  const family = isIP(host)
  return family !== 0 && loopback.check(host, family === 4 ? 'ipv4' : 'ipv6')
}

/** @throws where others could read without any method of authentication */
export function requireMethodUnlessLoopback(host: string, authentication: Authentication | undefined): void {
  if (authentication || isLoopback(host)) return
  throw new Error(
    `saw host ${host || "''"} and no authentication, expected 127.0.0.1, ::1 or localhost, or a method: --token-file is the simplest`,
  )
}

/**
 * Without authentication, a page from elsewhere could read through a name of its own that leads to loopback.
 *
 * @throws a Problem, 421, for a request to another name than loopback's
 */
export function requireLoopbackHost({ host = '' }: IncomingHttpHeaders): void {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(host) ?? []
  if (isLoopback(bracketed ?? plain ?? '')) return
  throw new Problem(421, 'without authentication this answers to localhost, 127.0.0.1 and [::1] only')
}

/**
 * Browsers send the password of Basic also for pages of others, and reach loopback for them. Such pages may lead here by
 * a link; what they load unseen would tell them by its time what there is, and takes the turns of others.
 *
 * @param origins of pages that may read all the same
 * @throws a Problem, 403, for what the page of another site wants to change here, or to load
 */
export function refuseOtherSites(
  method: string,
  headers: IncomingHttpHeaders,
  origins: readonly string[] = [],
): void {
  const { origin, host, 'sec-fetch-site': from = 'none', 'sec-fetch-dest': use = 'document' } = headers
  const isNear = from === 'same-origin' || from === 'none'
  if (['GET', 'HEAD', 'OPTIONS'].includes(method)) {
    if (isNear || use === 'document' || (origin !== undefined && origins.includes(origin))) return
    throw new Problem(403, 'a page of another site loads this, expected a link or one of --origin')
  }
  const isOurs = origin === undefined || (URL.canParse(origin) && new URL(origin).host === host)
  if (isOurs && isNear) return
  throw new Problem(403, 'this came from a page of another site, which may change nothing here')
}
