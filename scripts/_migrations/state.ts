import { createHash } from 'node:crypto'
import type { State } from '../../src/install/state.ts'

/**
 * The statement that writes down which state some SQL makes. Where it is what it was, so is its state; any other is
 * newer than the former one, also by a clock that is slow.
 */
export function stateStatement(text: string, former: State | undefined, now = Date.now()): string {
  const hash = createHash('sha1').update(text).digest('hex').slice(0, 12)
  const later = Math.max(now, former ? Date.parse(former.madeAt) + 1000 : 0)
  const madeAt = former?.hash === hash ? former.madeAt : new Date(later).toISOString().replace(/\.\d+Z$/, 'Z')
  return [
    'comment on schema nms_private is',
    "  'What table metrics needs inside: nobody has to look here, and nobody but its roles may. " +
      `State ${madeAt} ${hash}.';`,
  ].join('\n')
}
