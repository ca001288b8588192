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

const date = '[0-9]{4}-[0-9]{2}-[0-9]{2}'
const month = '[0-9]{4}-[0-9]{2}'
const number = '[1-9][0-9]{0,17}'

/** What a caller may give, by kind. */
export const parameters = {
  date: {
    type: 'string',
    description: 'A business day: a date such as 2026-11-20, today or yesterday.',
    pattern: `^(${date}|today|yesterday)$`,
    examples: ['yesterday'],
  },
  run_id: {
    type: 'string',
    description: 'The number of a run.',
    pattern: `^${number}$`,
    examples: ['1'],
  },
  point: {
    type: 'string',
    description:
      'A business day, or the number of a run: 2026-11-20, today, yesterday, 7d, 1w, 3m, 1y, 2026-11 or 42.',
    pattern: `^(${date}|${month}|today|yesterday|[0-9]{1,4}[dwmy]|${number})$`,
    examples: ['yesterday'],
  },
  failOn: {
    type: 'string',
    description:
      'What makes the verdict "failed": missing (a table without a count), drop (also fewer rows) or any difference.',
    enum: ['missing', 'drop', 'any'],
    examples: ['drop'],
  },
  schema: {
    type: 'string',
    description: 'A schema, as the catalogue spells it: 1 to 63 characters.',
    minLength: 1,
    maxLength: 63,
    examples: ['sales'],
  },
  table: {
    type: 'string',
    description: 'A table, as the catalogue spells it, without its schema: 1 to 63 characters.',
    minLength: 1,
    maxLength: 63,
    examples: ['orders'],
  },
  filter: {
    type: 'string',
    description: 'A filter of the table, by its name: only the rows that match it.',
    minLength: 1,
    maxLength: 63,
    examples: ['active'],
  },
  like: {
    type: 'string',
    description:
      'Only tables whose schema.table has this text in it, in upper or lower case: 1 to 127 characters.',
    minLength: 1,
    maxLength: 127,
    examples: ['order'],
  },
  days: {
    type: 'string',
    description: 'How many business days, today included: a whole number from 1 to 9999, 30 unless given.',
    pattern: '^[1-9][0-9]{0,3}$',
    examples: ['7'],
  },
  by: {
    type: 'string',
    description: 'Per day, week (from Monday) or month: day unless given.',
    enum: ['day', 'week', 'month'],
    examples: ['week'],
  },
  periods: {
    type: 'string',
    description:
      'How many periods, the current one included: a whole number from 1 to 1000, 30 unless given.',
    pattern: '^([1-9][0-9]{0,2}|1000)$',
    examples: ['12'],
  },
  limit: {
    type: 'string',
    description: 'At most so many: a whole number from 1 to 1000.',
    pattern: '^([1-9][0-9]{0,2}|1000)$',
    examples: ['30'],
  },
  beforeDay: {
    type: 'string',
    description: 'Those before this day, as next of the page before has it: a date such as 2026-11-20.',
    pattern: `^${date}$`,
    examples: ['9999-12-31'],
  },
  beforeNumber: {
    type: 'string',
    description: 'Those before this number, as next of the page before has it.',
    pattern: `^${number}$`,
    examples: ['1000'],
  },
  after: {
    type: 'string',
    description: 'Those after this one: next of the page before, as it is.',
    minLength: 1,
    maxLength: 1000,
    examples: [],
  },
  history: {
    type: 'string',
    description: 'Also those that are closed, the last opened first: true or false, false unless given.',
    enum: ['true', 'false'],
    examples: ['true'],
  },
  version: {
    type: 'string',
    description:
      'Version of the payload: 1, {schema: {table: count}}, unless given, or 2, which also says how each count was found.',
    enum: ['1', '2'],
    examples: ['2'],
  },
} satisfies Record<string, Parameter>

/** An optional value for a function, which knows its own default. */
export const orNull = (value: string | undefined) => value ?? null
