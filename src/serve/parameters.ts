import type { FastifySchemaValidationError } from 'fastify/types/schema.js'
import { Problem } from './problem.ts'

/** A value in the query string or the path: always text, of which the server judges what the pattern does not. */
export interface Parameter {
  type: 'string'
  description: string
  pattern?: string
  enum?: string[]
  minLength?: number
  maxLength?: number
  examples: string[]
}

/** What a caller may give, by name. */
export const parameters = {
  date: {
    type: 'string',
    description: 'A business day: a date such as 2026-11-20, today or yesterday.',
    pattern: '^([0-9]{4}-[0-9]{2}-[0-9]{2}|today|yesterday)$',
    examples: ['2026-11-20', 'yesterday'],
  },
  run_id: {
    type: 'string',
    description: 'The number of a run.',
    pattern: '^[1-9][0-9]{0,17}$',
    examples: ['42'],
  },
  point: {
    type: 'string',
    description: 'A business day or the number of a run.',
    pattern: '^([0-9]{4}-[0-9]{2}-[0-9]{2}|today|yesterday|[1-9][0-9]{0,17})$',
    examples: ['2026-11-20', '42'],
  },
  schema: {
    type: 'string',
    description: 'A schema, as the catalogue spells it.',
    minLength: 1,
    maxLength: 63,
    examples: ['sales'],
  },
  table: {
    type: 'string',
    description: 'A table, as the catalogue spells it, without its schema.',
    minLength: 1,
    maxLength: 63,
    examples: ['orders'],
  },
  days: {
    type: 'string',
    description: 'How many business days, today included: a whole number from 1 to 9999.',
    pattern: '^[1-9][0-9]{0,3}$',
    examples: ['30'],
  },
  limit: {
    type: 'string',
    description: 'At most so many: a whole number from 1 to 1000.',
    pattern: '^([1-9][0-9]{0,2}|1000)$',
    examples: ['30'],
  },
  version: {
    type: 'string',
    description: 'Version of the payload: 1, {schema: {table: count}}.',
    enum: ['1'],
    examples: ['1'],
  },
} as const satisfies Record<string, Parameter>

/** What validation has found, in one line: what was seen, and what is expected. */
export function describeParameters(errors: FastifySchemaValidationError[], where: string): Error {
  const [error] = errors as [FastifySchemaValidationError & { data?: unknown; parentSchema?: unknown }]
  const named = (name: string) => (where === 'querystring' ? `the parameter ${name}` : name)
  const { additionalProperty, missingProperty } = error.params as Record<string, string | undefined>
  const known = Object.keys((error.parentSchema as { properties?: object })?.properties ?? {})
  if (additionalProperty !== undefined) {
    const expected = known.length > 0 ? `expected ${known.join(', ')}` : 'expected none'
    return new Problem(400, `saw ${named(additionalProperty)}, ${expected}`)
  }
  if (missingProperty !== undefined) return new Problem(400, `saw no ${missingProperty}, expected one`)
  const name = error.instancePath.split('/')[1] ?? ''
  if (Array.isArray(error.data) || error.keyword === 'type') {
    return new Problem(400, `saw ${named(name)} more than once, expected it once`)
  }
  const { description } = error.parentSchema as Parameter
  return new Problem(400, `${name}: saw ${String(error.data)}, expected: ${description}`)
}
