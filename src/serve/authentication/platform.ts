import { base64url, UnsecuredJWT } from 'jose'
import type { Caller } from './authentication.ts'
import { callerBy, type Rule, reasonOf, required, rulesOf } from './jwt.ts'
import { bearerChallenge, credentialOf, type Method, Refusal } from './method.ts'

const mark = '.SIGNATURE_REMOVED_BY_GOOGLE'

/**
 * Knows callers whose token Cloud Run has verified, which then takes the signature off. Whoever reaches this service
 * past Cloud Run's check can claim to be anybody: it may only be used where that check is on.
 */
export function platform(rules: Rule[]): Method {
  return {
    challenges: [bearerChallenge],
    credential({ authorization, 'x-serverless-authorization': separate }) {
      const own = credentialOf('bearer', authorization)
      const isStripped = own?.endsWith(mark) ?? false
      if (separate === undefined) return isStripped ? own : undefined
      // With both headers Cloud Run verifies this one only, and leaves the other to the service.
      return authorization === undefined || isStripped
        ? (credentialOf('bearer', String(separate)) ?? '')
        : undefined
    },
    identify: (token) => callerWithoutSignature(token, rules),
  }
}

function callerWithoutSignature(token: string, rules: Rule[]): Caller {
  if (!token.endsWith(mark)) throw new Refusal(401, `signature: expected ${mark.slice(1)}`)
  const near = rulesOf(token, rules)
  const [, claims] = token.split('.')
  const unsecured = `${base64url.encode('{"alg":"none"}')}.${claims}.`
  try {
    const { payload } = UnsecuredJWT.decode(unsecured, {
      ...required,
      issuer: near[0].issuer.names,
      audience: near.map(({ audience }) => audience),
    })
    return callerBy(payload, near)
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(401, reasonOf(error))
  }
}
