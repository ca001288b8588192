import { type IncomingHttpHeaders, STATUS_CODES } from 'node:http'
import { Problem } from '../problem.ts'
import type { Authentication, AuthenticationLog, Caller } from './authentication.ts'
import { countFailures } from './failures.ts'
import { type Method, Refusal } from './method.ts'

/** Failures of one network in one minute after which it is told to wait, and no more of them are logged. */
export const failuresAMinute = 30

const details = {
  401: 'these credentials are not accepted: the log of this service says why',
  403: 'this caller is known, and has no right here: the log of this service says why',
  503: 'nobody can tell now who asks: the keys of the issuer cannot be had; try again',
}

/**
 * Asks methods in turn: the first whose credential is there decides. Only who fails is ever told to wait: right
 * credentials are let in also from an address at which others guess.
 */
export function identifyBy(
  methods: Method[],
  log: AuthenticationLog,
  failures = countFailures(),
): Authentication {
  // Basic comes first: some clients look at one challenge only, and browsers can meet that one.
  const challenges = [...new Set(methods.flatMap((method) => method.challenges))].sort().join(', ')
  const unknown = (detail: string) =>
    new Problem(401, detail, { headers: { 'www-authenticate': challenges } })

  async function callerOf(headers: IncomingHttpHeaders): Promise<Caller> {
    for (const method of methods) {
      const credential = method.credential(headers)
      if (credential !== undefined) return method.identify(credential)
    }
    // Browsers ask without credentials first: that is no failure.
    if (headers.authorization === undefined) throw unknown('expected credentials')
    throw new Refusal(401, 'authorization: neither of a scheme nor of a form that is accepted here')
  }

  function problemOf({ status, message }: Refusal, address: string): Problem {
    const { failures: count, seconds } = failures.count(address)
    if (count <= failuresAMinute) log.refused(`${address}: ${status} ${STATUS_CODES[status]}: ${message}`)
    if (count === failuresAMinute)
      log.refused(`${address}: more of this in the next ${seconds} s is not logged`)
    if (status === 503) return new Problem(503, details[503], { headers: { 'retry-after': '5' } })
    if (count > failuresAMinute) {
      return new Problem(429, `${failuresAMinute} failures in a minute: wait ${seconds} s`, {
        headers: { 'retry-after': String(seconds) },
      })
    }
    return status === 401 ? unknown(details[401]) : new Problem(403, details[403])
  }

  return {
    async identify({ headers, address }) {
      try {
        return await callerOf(headers)
      } catch (error) {
        throw error instanceof Refusal ? problemOf(error, address) : error
      }
    },
  }
}
