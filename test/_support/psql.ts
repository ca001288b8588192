// As much of psql as the README and docs/ use: it executes a file or standard input, and shows rows.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import postgres from 'postgres'

/** Rows as psql shows them, without its line that counts them. */
export function renderAsPsql(rows: readonly Record<string, unknown>[]): string {
  const names = Object.keys(rows[0] ?? {})
  const cells = rows.map((row) => names.map((name) => text(row[name])))
  const widths = names.map((name, column) =>
    Math.max(
      name.length,
      ...cells.flatMap((row) => (row[column] ?? '').split('\n').map((line) => line.length)),
    ),
  )
  const numeric = names.map((name) => rows.every((row) => /^(-?\d+(\.\d+)?)?$/.test(text(row[name]))))
  const line = (row: string[], pad: (cell: string, width: number, column: number) => string) =>
    ` ${row.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join(' | ')} `
  return [
    line(names, (name, width) => {
      const left = Math.floor((width - name.length) / 2)
      return ' '.repeat(left) + name.padEnd(width - left)
    }),
    widths.map((width) => '-'.repeat(width + 2)).join('+'),
    ...cells.map((row) =>
      line(row, (cell, width, column) => (numeric[column] ? cell.padStart(width) : cell.padEnd(width))),
    ),
  ].join('\n')
}

function text(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'boolean') return value ? 't' : 'f'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

if (process.argv[1] === import.meta.filename) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      file: { type: 'string', short: 'f' },
      variable: { type: 'string', short: 'v', multiple: true },
      quiet: { type: 'boolean', short: 'q' },
    },
  })
  const sql = postgres(positionals[0] ?? '', { max: 1, onnotice: () => undefined })
  console.log(renderAsPsql(await sql.unsafe(readFileSync(values.file ?? 0, 'utf8'))))
  await sql.end()
}
