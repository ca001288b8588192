import { createServer, type ServerResponse } from 'node:http'
import type { ExecutionContext } from 'ava'
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, SignJWT } from 'jose'
import { reservePort } from './ports.ts'

/** Somebody who signs tokens, with a server for the keys, which is not started yet. */
export interface TestIssuer {
  /** The `iss` of its tokens. */
  url: string
  /** Where its keys are. */
  keys: URL
  /** How often somebody fetched its keys. */
  fetches(): number
  start(): Promise<void>
  stop(): Promise<void>
  /** Does something else than to answer, until it is undone. */
  answer(otherwise: ((path: string, response: ServerResponse) => boolean) | undefined): void
  /** Signs with other keys from now on. */
  rotate(): Promise<void>
  /**
   * Signs claims; without any, they are good ones: `iat` now, `exp` in an hour, `aud` table-metrics, `email` of Jane,
   * who is verified. A claim that is undefined is left out.
   */
  sign(claims?: Record<string, unknown>, header?: { alg?: string; kid?: string }): Promise<string>
  /** The public key as text, as an attacker has it. */
  publicKey(): Promise<string>
}

export async function makeIssuer(t: ExecutionContext, alg = 'RS256'): Promise<TestIssuer> {
  const port = await reservePort()
  const url = `http://127.0.0.1:${port}`
  let generation = 0
  let pair: GenerateKeyPairResult
  let fetches = 0
  let otherwise: ((path: string, response: ServerResponse) => boolean) | undefined

  async function rotate() {
    pair = await generateKeyPair(alg, { extractable: true })
    generation++
  }

  const publicJwk = async () => ({
    ...(await exportJWK(pair.publicKey)),
    kid: `key-${generation}`,
    alg,
    use: 'sig',
  })
  const server = createServer(async ({ url: path = '' }, response) => {
    if (path === '/keys') fetches++
    if (otherwise?.(path, response)) return
    const body =
      path === '/keys'
        ? { keys: [await publicJwk()] }
        : path === '/.well-known/openid-configuration'
          ? { issuer: url, jwks_uri: `${url}/keys` }
          : undefined
    response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await rotate()
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  t.teardown(stop)
  return {
    url,
    keys: new URL(`${url}/keys`),
    fetches: () => fetches,
    start: () => new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve())),
    stop,
    answer(instead) {
      otherwise = instead
    },
    rotate,
    async sign(claims = {}, header = {}) {
      const now = Math.floor(Date.now() / 1000)
      const all = {
        iss: url,
        aud: 'table-metrics',
        iat: now,
        exp: now + 3600,
        sub: '1234',
        email: 'jane@example.com',
        email_verified: true,
        ...claims,
      }
      const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
      return new SignJWT(given)
        .setProtectedHeader({ alg, kid: `key-${generation}`, ...header })
        .sign(pair.privateKey)
    },
    publicKey: async () => JSON.stringify(await publicJwk()),
  }
}
