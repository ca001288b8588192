import { callerOf, type Issuer, isJwt, type Rule } from './jwt.ts'
import { remoteKeys } from './keys.ts'
import { bearerChallenge, credentialOf, type Method } from './method.ts'

export const google = 'https://accounts.google.com'

/** Knows callers by tokens that an issuer of OpenID Connect has signed. */
export function oidc(rules: Rule[]): Method {
  return {
    challenges: [bearerChallenge],
    credential({ authorization }) {
      const credential = credentialOf('bearer', authorization)
      return isJwt(credential) ? credential : undefined
    },
    identify: (token) => callerOf(token, rules),
  }
}

/** An issuer by its name, which is the URL below which its discovery document lies; of Google more is known. */
export function issuerNamed(name: string): Issuer {
  if (name !== google) {
    return {
      names: [name],
      algorithms: ['RS256', 'ES256', 'PS256'],
      keys: remoteKeys({ discoverFor: name }),
    }
  }
  return {
    names: [google, 'accounts.google.com'],
    algorithms: ['RS256'],
    keys: remoteKeys({ keys: new URL('https://www.googleapis.com/oauth2/v3/certs') }),
  }
}
