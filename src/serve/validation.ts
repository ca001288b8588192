import type { FastifySchemaValidationError } from 'fastify/types/schema.js'
import type { Parameter } from './parameters.ts'
import { Problem } from './problem.ts'

/** What may be given with a path: nothing else, and what is required once. */
export interface Accepted {
  /** What stands in the path as `:name`, or else has to stand in the query. */
  required?: Record<string, Parameter>
  optional?: Record<string, Parameter>
}

/** The same as Fastify checks it. */
export function schemaOf(path: string, { required = {}, optional = {} }: Accepted) {
  const all = Object.entries(required)
  const inPath = all.filter(([name]) => path.includes(`:${name}`))
  const inQuery = all.filter(([name]) => !path.includes(`:${name}`))
  return {
    ...(inPath.length > 0 && { params: objectOf(inPath, inPath) }),
    querystring: objectOf([...inQuery, ...Object.entries(optional)], inQuery),
  }
}

function objectOf(properties: [string, Parameter][], required: [string, Parameter][]) {
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    required: required.map(([name]) => name),
    additionalProperties: false,
  }
}

/** What validation has found, in one line: what was seen, and what is expected. */
export function describeParameters(errors: FastifySchemaValidationError[], where: string): Error {
  const [error] = errors as [FastifySchemaValidationError & { data?: unknown; parentSchema?: unknown }]
  const named = (name: string) => (where === 'querystring' ? `the parameter ${seen(name)}` : seen(name))
  const { missingProperty } = error.params as { missingProperty?: string }
  if (error.instancePath === '') {
    // A name that is written wrongly explains one that is missing.
    const known = Object.keys((error.parentSchema as { properties?: object })?.properties ?? {})
    const unknown = Object.keys(error.data as object).find((name) => !known.includes(name))
    const expected = known.length > 0 ? `expected ${known.join(', ')}` : 'expected none'
    if (unknown !== undefined) return new Problem(400, `saw ${named(unknown)}, ${expected}`)
  }
  if (missingProperty !== undefined) {
    return new Problem(400, `saw no parameter ${missingProperty}, expected it once`)
  }
  const name = error.instancePath.split('/')[1] ?? ''
  if (Array.isArray(error.data)) {
    return new Problem(400, `saw ${named(name)} more than once, expected it once`)
  }
  const { description } = error.parentSchema as Parameter
  const expected = description.charAt(0).toLowerCase() + description.slice(1).replace(/\.$/, '')
  return new Problem(400, `${name}: saw ${seen(error.data)}, expected: ${expected}`)
}

function seen(value: unknown): string {
  const text = String(value)
  return text.length > 100 ? `${text.slice(0, 100)}...` : text
}
