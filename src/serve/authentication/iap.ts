import { callerOf, type Issuer, type Rule } from './jwt.ts'
import { remoteKeys } from './keys.ts'
import { bearerChallenge, type Method } from './method.ts'

/** Knows callers by what Google's Identity-Aware Proxy adds to their requests. */
export function iap(rule: Rule): Method {
  return {
    challenges: [bearerChallenge],
    credential: (headers) => [headers['x-goog-iap-jwt-assertion']].flat().join() || undefined,
    identify: (assertion) => callerOf(assertion, [rule]),
  }
}

/** Who signs those assertions. */
export function iapIssuer(): Issuer {
  return {
    names: ['https://cloud.google.com/iap'],
    algorithms: ['ES256'],
    keys: remoteKeys({ keys: new URL('https://www.gstatic.com/iap/verify/public_key-jwk') }),
  }
}
