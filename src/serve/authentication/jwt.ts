import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import type { Caller } from './authentication.ts'
import { Refusal, seen } from './method.ts'

/** Who signs tokens, and how. */
export interface Issuer {
  /** The values of `iss` in its tokens; the first is the one to show. */
  names: string[]
  /** Of signatures. */
  algorithms: string[]
  keys: JWTVerifyGetKey
}

/** What the bearers of an issuer's tokens may do here. */
export interface Rule {
  issuer: Issuer
  /** For whom the token has to be made. */
  audience: string
  /** Says why not: a valid signature alone is nobody. */
  whyNot(claims: JWTPayload): string | undefined
  mayRead: boolean
  mayTrigger: boolean
}

/** What is asked of the claims of every token. */
export const required = { requiredClaims: ['exp', 'iat'], clockTolerance: 30 }

/** Whether a credential has the form of a signed token, which no token of a file has. */
export function isJwt(credential: string | undefined): credential is string {
  return credential?.split('.').length === 3
}

/**
 * Verifies a token by the rules of its issuer.
 *
 * @throws a Refusal
 */
export async function callerOf(token: string, rules: Rule[]): Promise<Caller> {
  const near = rulesOf(token, rules)
  const [{ issuer }] = near
  try {
    const { payload } = await jwtVerify(token, issuer.keys, {
      ...required,
      algorithms: issuer.algorithms,
      issuer: issuer.names,
      audience: near.map(({ audience }) => audience),
    })
    return callerBy(payload, near)
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(401, reasonOf(error))
  }
}

/** The rules of the issuer that a token names. It may lie: this only says whose keys and rules to ask. */
export function rulesOf(token: string, rules: Rule[]): [Rule, ...Rule[]] {
  let iss: unknown
  try {
    iss = decodeJwt(token).iss
  } catch (error) {
    throw new Refusal(401, reasonOf(error))
  }
  const [first, ...more] = rules.filter(({ issuer }) => issuer.names.some((name) => name === iss))
  if (first) return [first, ...more]
  const names = new Set(rules.map(({ issuer }) => issuer.names[0]))
  throw new Refusal(401, `iss: saw ${seen(iss)}, expected ${[...names].join(' or ')}`)
}

/** What claims that are known to be true give: the rights of all rules that fit. */
export function callerBy(claims: JWTPayload, rules: Rule[]): Caller {
  const mine = rules.filter(({ audience }) => [claims.aud].flat().includes(audience))
  const reasons = mine.map((rule) => rule.whyNot(claims))
  const given = mine.filter((_, n) => reasons[n] === undefined)
  if (given.length === 0) throw new Refusal(403, reasons.join('; '))
  return {
    name: String(claims.email ?? claims.sub ?? 'nameless'),
    mayRead: given.some(({ mayRead }) => mayRead),
    mayTrigger: given.some(({ mayTrigger }) => mayTrigger),
  }
}

/** Which claim failed. */
export function reasonOf(error: unknown): string {
  const { message } = error as Error
  const isClaim = error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired
  return isClaim && error.reason !== 'missing'
    ? `${message}: saw ${seen(error.payload[error.claim])}`
    : message
}
