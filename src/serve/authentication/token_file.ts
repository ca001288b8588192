import { createHash } from 'node:crypto'

/** A token as it is kept: only its digest. */
export interface Token {
  /** SHA-256. */
  digest: Buffer
  line: number
  mayTrigger: boolean
}

/**
 * Reads the text of a token file: one a line, `trigger` behind it for those that may post events, `#` before comments.
 *
 * @throws with the number of a line and what was expected in it, never with what may be a token
 */
export function parseTokens(text: string): Token[] {
  const tokens: Token[] = []
  for (const [index, content] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const [token, right, ...more] = content
      .replace(/(^|\s)#.*/, '')
      .trim()
      .split(/\s+/)
    if (!token) continue
    const line = index + 1
    if (!/^[\w~+/=-]{16,}$/.test(token)) {
      throw new Error(`line ${line}: expected a token of at least 16 letters, digits and - _ ~ + / =`)
    }
    if ((right !== undefined && right !== 'trigger') || more.length > 0) {
      throw new Error(`line ${line}: expected nothing behind the token, or trigger`)
    }
    const digest = digestOf(token)
    const same = tokens.find((other) => other.digest.equals(digest))
    if (same) throw new Error(`line ${line}: expected another token than in line ${same.line}`)
    tokens.push({ digest, line, mayTrigger: right === 'trigger' })
  }
  if (tokens.length === 0) throw new Error('expected a token in some line, saw none')
  return tokens
}

export function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
