import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

export type Encoding = 'br' | 'gzip'

const worthIt = 1_000

/** How fast rather than how small: most of it is asked for once. */
export const compress: Record<Encoding, (text: string) => Promise<Buffer>> = {
  br: (text) =>
    promisify(brotliCompress)(text, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 4,
        [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
        [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
      },
    }),
  gzip: (text) => promisify(gzip)(text, { level: 4 }),
}

/**
 * How a text of this length is sent: as the client likes best, br rather than gzip where it likes both. Undefined for
 * as it is; also when the client wants nothing that there is, because an answer is more use than none.
 *
 * @param accepted the header Accept-Encoding: names, each with a weight from 0 to 1
 */
export function encodingFor(accepted: string | undefined, length: number): Encoding | undefined {
  if (!accepted) return
  const weights = new Map(accepted.toLowerCase().split(',').map(readWeight))
  const weightOf = (name: string) => weights.get(name) ?? weights.get('*') ?? 0
  const identity = weights.get('identity') ?? (weights.get('*') === 0 ? 0 : undefined)
  if (length < worthIt && identity !== 0) return
  const best = weightOf('gzip') > weightOf('br') ? 'gzip' : 'br'
  return weightOf(best) > 0 && weightOf(best) >= (identity ?? 0) ? best : undefined
}

function readWeight(part: string): [name: string, weight: number] {
  const [name = '', ...parameters] = part.split(';').map((text) => text.trim())
  const weight = parameters.find((text) => /^q\s*=/.test(text))?.replace(/^q\s*=\s*/, '')
  return [name, weight === undefined ? 1 : /^(0(\.\d*)?|1(\.0*)?)$/.test(weight) ? Number(weight) : 0]
}
