import { timingSafeEqual } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import type { AuthenticationLog, Caller } from './authentication.ts'
import { basicChallenge, bearerChallenge, credentialOf, type Method, Refusal } from './method.ts'
import { digestOf, parseTokens, type Token } from './token_file.ts'

/**
 * Knows callers by the tokens in a file, sent as Bearer or as the password of Basic, whatever the user's name. The
 * file is read again when it has changed; while the new one is not usable, the former tokens stay.
 *
 * @throws when the file cannot be used at the start
 */
export function tokens(file: string, log: AuthenticationLog): Method {
  // Taken before each reading: a change meanwhile is seen at the next look.
  let seenState = stateOf(file)
  let known = readTokens(file, log)

  function refresh(): void {
    const state = stateOf(file)
    if (state === seenState) return
    seenState = state
    try {
      known = readTokens(file, log)
      log.noticed(`${file}: read again, ${known.length} ${known.length === 1 ? 'token' : 'tokens'}`)
    } catch (error) {
      log.noticed(`${(error as Error).message}; the former tokens stay`)
    }
  }

  return {
    challenges: [basicChallenge, bearerChallenge],
    credential: ({ authorization }) => credentialOf('bearer', authorization) ?? passwordOf(authorization),
    identify(credential): Caller {
      refresh()
      const digest = digestOf(credential)
      // All of them are compared, so that the time taken does not tell which one is near.
      const [token] = known.filter((token) => timingSafeEqual(token.digest, digest))
      if (!token) throw new Refusal(401, `the token is not one of ${file}`)
      return { name: `the token in line ${token.line}`, mayRead: true, mayTrigger: token.mayTrigger }
    },
  }
}

function passwordOf(authorization: string | undefined): string | undefined {
  const credential = credentialOf('basic', authorization)
  if (credential === undefined) return undefined
  const text = Buffer.from(credential, 'base64').toString()
  const colon = text.indexOf(':')
  return colon < 0 ? '' : text.slice(colon + 1)
}

function readTokens(file: string, log: AuthenticationLog): Token[] {
  let found: Token[]
  try {
    const stat = statSync(file)
    if (!stat.isFile()) throw new Error('expected a file')
    found = parseTokens(readFileSync(file, 'utf8'))
    if (stat.mode & 0o004) log.noticed(`${file}: any user may read it; mend it with: chmod 0600 ${file}`)
  } catch (error) {
    throw new Error(`token file ${file}: ${(error as Error).message}`)
  }
  return found
}

/** Differs once the file does, also when a link leads to another one, as Kubernetes changes its secrets. */
function stateOf(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join()
  } catch (error) {
    return (error as Error).message
  }
}
