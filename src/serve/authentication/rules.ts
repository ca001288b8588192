import type { JWTPayload } from 'jose'
import { seen } from './method.ts'

type WhyNot = (claims: JWTPayload) => string | undefined

/** Lets emails in that are in a list, exactly as the issuer writes them, and that the issuer has verified. */
export function verifiedEmails(emails: string[]): WhyNot {
  const listed = listedEmails(emails)
  return (claims) =>
    listed(claims) ??
    (claims.email_verified === true
      ? undefined
      : `email_verified: saw ${seen(claims.email_verified)} of ${seen(claims.email)}, expected true`)
}

/** The same where the issuer says nothing about verifying. */
export function listedEmails(emails: string[]): WhyNot {
  return ({ email }) =>
    emails.some((listed) => listed === email) ? undefined : `email: ${seen(email)} is not in the list`
}

/** Lets in whose claims all have these values; a claim with several has to have it among them. */
export function claimValues(wanted: [name: string, value: string][]): WhyNot {
  return (claims) => {
    const missing = wanted.find(([name, value]) => !valuesOf(claims, name).includes(value))
    return missing && `${missing[0]}: saw ${seen(claims[missing[0]])}, expected ${missing[1]}`
  }
}

function valuesOf(claims: JWTPayload, name: string): string[] {
  const value = Object.hasOwn(claims, name) ? claims[name] : []
  return [value].flat().map(String)
}
