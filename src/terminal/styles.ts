import type { Style } from './output.ts'

/** The colour of a change: more or less; none where nothing changed. */
export function styleOfChange(change: string): Style | undefined {
  const sign = change.match(/^(?:≈ )?([+-])/)?.[1]
  if (sign) return sign === '+' ? 'green' : 'red'
}

/** The colour of what became of a run, or of a table from one run to another. */
export function styleOfOutcome(outcome: string): Style | undefined {
  return outcomes[outcome]
}

const outcomes: Record<string, Style> = {
  SUCCEEDED: 'green',
  FAILED: 'red',
  RUNNING: 'yellow',
  appeared: 'green',
  grew: 'green',
  shrank: 'yellow',
  disappeared: 'red',
  'not counted': 'red',
  'left out': 'yellow',
}
