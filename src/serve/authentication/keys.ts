import { createRemoteJWKSet, customFetch, errors, type FetchImplementation, type JWTVerifyGetKey } from 'jose'
import { isLoopback } from './loopback.ts'
import { Refusal, seen } from './method.ts'

const keptFor = 6 * 60 * 60 * 1000
const pause = 5000

/** Where the public keys of an issuer are: at an address, or where its discovery document says. */
export type KeySource = { keys: URL } | { discoverFor: string }

/**
 * The public keys of an issuer, kept for six hours and fetched earlier for a key that is not among them, at most every
 * 30 seconds. A fetch has five seconds.
 *
 * @returns what throws a Refusal, 503, while keys cannot be had
 */
export function remoteKeys(source: KeySource): JWTVerifyGetKey {
  const address = 'keys' in source ? source.keys : discoveryOf(source.discoverFor)
  const fetchKeys: FetchImplementation =
    'keys' in source ? get : (url, options) => discover(url, source.discoverFor, options)
  const keys = createRemoteJWKSet(address, {
    cacheMaxAge: keptFor,
    [customFetch]: withPauses(fetchKeys),
  })
  return async (header, token) => {
    try {
      return await keys(header, token)
    } catch (error) {
      if (isAboutTheToken(error)) throw error
      throw new Refusal(503, `${address}: ${causeOf(error)}`)
    }
  }
}

/** True for addresses at which nobody between can put other keys. */
export function isSecure({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname.replace(/^\[|\]$/g, '')))
}

function discoveryOf(issuer: string): URL {
  return new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
}

/** Finds the keys by the issuer's own document, anew at each fetch: the address may change. */
async function discover(url: string, expected: string, options: Parameters<FetchImplementation>[1]) {
  const { issuer, jwks_uri: address } = (await (await get(url, options)).json()) as Record<string, unknown>
  if (issuer !== expected) throw new Error(`issuer: saw ${seen(issuer)}, expected ${seen(expected)}`)
  if (typeof address !== 'string' || !URL.canParse(address) || !isSecure(new URL(address))) {
    throw new Error(`jwks_uri: saw ${seen(address)}, expected a URL with https`)
  }
  return get(address, options)
}

async function get(url: string, options: Parameters<FetchImplementation>[1]): Promise<Response> {
  const response = await fetch(url, options)
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}, expected 200`)
  return response
}

/** After a failure the next fetches fail at once for a while: no caller can make us hammer a server that is down. */
function withPauses(fetchKeys: FetchImplementation): FetchImplementation {
  let failure: { error: unknown; until: number } | undefined
  return async (url, options) => {
    if (failure && performance.now() < failure.until) throw failure.error
    try {
      return await fetchKeys(url, options)
    } catch (error) {
      failure = { error, until: performance.now() + pause }
      throw error
    }
  }
}

function isAboutTheToken(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys
}

/** What went wrong with a fetch: `fetch failed` alone says nothing. */
function causeOf(error: unknown): string {
  const { message, cause } = error as Error
  const { message: inner, code } = (cause ?? {}) as { message?: string; code?: string }
  return [message, inner || code].filter(Boolean).join(': ')
}
