import { isSecure } from './keys.ts'
import { seen } from './method.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** A variable of the environment that is set. */
export interface Variable {
  name: string
  value: string
}

/**
 * The variables of one method; an empty one is not set.
 *
 * @returns undefined when none is set
 * @throws when only some of them are
 */
export function allOrNone<Names extends readonly string[]>(
  environment: Environment,
  ...names: Names
): { [N in keyof Names]: Variable } | undefined {
  const found = names.map((name) => ({ name, value: environment[name]?.trim() ?? '' }))
  const set = found.find(({ value }) => value)
  const missing = found.find(({ value }) => !value)
  if (set && missing) throw new Error(`${missing.name} is not set, and ${set.name} is: expected both`)
  return set && (found as { [N in keyof Names]: Variable })
}

export function issuerIn({ name, value }: Variable): string {
  if (URL.canParse(value) && isSecure(new URL(value)) && !/[?#@\s]/.test(value)) return value
  throw new Error(
    `${name}: saw ${seen(value)}, expected a URL with https, such as https://accounts.google.com`,
  )
}

export function emailsIn(variable: Variable): string[] {
  const emails = listIn(variable)
  const wrong = emails.find((email) => !/^[^\s@*]+@[^\s@*]+$/.test(email))
  if (wrong === undefined) return emails
  throw new Error(
    `${variable.name}: saw ${seen(wrong)}, expected addresses such as jane@example.com, with commas between`,
  )
}

export function claimsIn(variable: Variable): [name: string, value: string][] {
  const wrong = (saw: string, expected: string) =>
    new Error(`${variable.name}: saw ${seen(saw)}, expected ${expected}`)
  const claims = listIn(variable).map((pair): [string, string] => {
    const [, name, value] = /^([^=]+)=(.+)$/.exec(pair) ?? []
    if (name && value) return [name.trim(), value.trim()]
    throw wrong(pair, 'claims such as hd=example.com, with commas between')
  })
  const names = claims.map(([name]) => name)
  // With some issuers anybody may enter an address of others, which is then not verified.
  if (names.includes('email') && !names.includes('email_verified')) {
    throw wrong('email', 'email_verified=true beside it, or a list of addresses in SERVE_OIDC_EMAILS')
  }
  return claims
}

export function iapAudienceIn({ name, value }: Variable): string {
  if (/^\/projects\/\d+\/./.test(value)) return value
  throw new Error(
    `${name}: saw ${seen(value)}, expected /projects/NUMBER/global/backendServices/ID or /projects/NUMBER/locations/REGION/services/NAME`,
  )
}

function listIn({ name, value }: Variable): string[] {
  const list = value
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean)
  if (list.length === 0) throw new Error(`${name}: saw ${seen(value)}, expected a list with commas between`)
  return list
}
