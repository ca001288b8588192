import type { Authentication, AuthenticationLog } from './authentication.ts'
import { iap, iapIssuer } from './iap.ts'
import { identifyBy } from './identify.ts'
import type { Rule } from './jwt.ts'
import type { Method } from './method.ts'
import { google, issuerNamed, oidc } from './oidc.ts'
import { platform } from './platform.ts'
import { claimValues, listedEmails, verifiedEmails } from './rules.ts'
import { tokens } from './tokens.ts'
import { allOrNone, claimsIn, type Environment, emailsIn, iapAudienceIn, issuerIn } from './variables.ts'

export interface AuthenticationSettings {
  /** Of `--token-file`, which counts before `SERVE_TOKENS_FILE`. */
  tokenFile?: string | undefined
  environment?: Environment
  log: AuthenticationLog
}

const readers = { mayRead: true, mayTrigger: false }
const senders = { mayRead: false, mayTrigger: true }

/**
 * The methods that are configured, as one.
 *
 * @returns undefined when there is none
 * @throws when a setting cannot be used, or a method has only some of its settings
 */
export function readAuthentication({
  tokenFile,
  environment = process.env,
  log,
}: AuthenticationSettings): Authentication | undefined {
  const file = tokenFile || environment.SERVE_TOKENS_FILE
  const proxied = iapRule(environment)
  const verified = platformRule(environment)
  const signed = [oidcRule(environment), eventsRule(environment)].filter((rule) => rule !== undefined)
  // What the platform has taken the signature off came from Google, whoever of its callers it is.
  const ofGoogle = signed.filter(({ issuer }) => issuer.names.includes(google))

  const methods: Method[] = []
  if (proxied) methods.push(iap(proxied))
  if (verified) methods.push(platform([verified, ...ofGoogle]))
  if (signed.length > 0) methods.push(oidc(signed))
  if (file) methods.push(tokens(file, log))
  return methods.length > 0 ? identifyBy(methods, log) : undefined
}

function oidcRule(environment: Environment): Rule | undefined {
  const { SERVE_OIDC_EMAILS: emails, SERVE_OIDC_CLAIMS: claims } = environment
  if (emails && claims) {
    throw new Error('SERVE_OIDC_EMAILS and SERVE_OIDC_CLAIMS: saw both, expected one of them')
  }
  const who = claims ? 'SERVE_OIDC_CLAIMS' : 'SERVE_OIDC_EMAILS'
  const found = allOrNone(environment, 'SERVE_OIDC_ISSUER', 'SERVE_OIDC_AUDIENCE', who)
  if (!found) return undefined
  const [issuer, audience, list] = found
  return {
    issuer: issuerNamed(issuerIn(issuer)),
    audience: audience.value,
    whyNot: claims ? claimValues(claimsIn(list)) : verifiedEmails(emailsIn(list)),
    ...readers,
  }
}

function eventsRule(environment: Environment): Rule | undefined {
  const found = allOrNone(
    environment,
    'SERVE_EVENTS_OIDC_ISSUER',
    'SERVE_EVENTS_OIDC_AUDIENCE',
    'SERVE_EVENTS_OIDC_EMAILS',
  )
  if (!found) return undefined
  const [issuer, audience, emails] = found
  return {
    issuer: issuerNamed(issuerIn(issuer)),
    audience: audience.value,
    whyNot: verifiedEmails(emailsIn(emails)),
    ...senders,
  }
}

function iapRule(environment: Environment): Rule | undefined {
  const found = allOrNone(environment, 'SERVE_IAP_AUDIENCE', 'SERVE_IAP_EMAILS')
  if (!found) return undefined
  const [audience, emails] = found
  return {
    issuer: iapIssuer(),
    audience: iapAudienceIn(audience),
    whyNot: listedEmails(emailsIn(emails)),
    ...readers,
  }
}

function platformRule(environment: Environment): Rule | undefined {
  const found = allOrNone(environment, 'SERVE_PLATFORM_AUDIENCE', 'SERVE_PLATFORM_EMAILS')
  if (!found) return undefined
  if (!environment.K_SERVICE) {
    throw new Error(
      'SERVE_PLATFORM_AUDIENCE: saw no K_SERVICE, expected Cloud Run, which verifies signatures and takes them off',
    )
  }
  const [audience, emails] = found
  return {
    issuer: issuerNamed(google),
    audience: audience.value,
    whyNot: verifiedEmails(emailsIn(emails)),
    ...readers,
  }
}
