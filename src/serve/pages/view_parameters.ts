import type { Parameter } from '../parameters.ts'

/** How the table of tables is shown. */
export const view = {
  filter: {
    type: 'string',
    description: 'A part of the names of the tables to show.',
    maxLength: 200,
    examples: ['sales.'],
  },
  sort: {
    type: 'string',
    description: 'name, rows, change, percent or bytes.',
    enum: ['name', 'rows', 'change', 'percent', 'bytes'],
    examples: ['change'],
  },
  dir: { type: 'string', description: 'asc or desc.', enum: ['asc', 'desc'], examples: ['desc'] },
} satisfies Record<string, Parameter>
