import { styleText } from 'node:util'
import { visible } from './visible.ts'

/** How a text looks on a terminal with colours. */
export type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'blue' | 'magenta' | 'cyan'

/** Columns that a line for a person may take: those of the terminal, unless COLUMNS says otherwise. */
export function outputWidth(): number {
  const columns = Number(process.env.COLUMNS)
  return Number.isSafeInteger(columns) && columns > 0 ? columns : process.stdout.columns || 80
}

/** Columns that a table may take: in a pipe or a file any number, so that nothing is cut there, unless COLUMNS says one. */
export function tableWidth(): number {
  return process.stdout.isTTY || process.env.COLUMNS ? outputWidth() : Number.POSITIVE_INFINITY
}

/** Writes lines to standard output: what is asked for by name can also be piped. */
export function print(text: string): void {
  stopAtClosedPipe()
  process.stdout.write(harmless(`${text}\n`))
}

/** Where lines for people go: standard output only if it is a terminal that nothing else is written to. */
export function humanStream(json = false): { write(text: string): void } {
  const stream = process.stdout.isTTY && !json ? process.stdout : process.stderr
  return { write: (text) => stream.write(harmless(text)) }
}

const esc = '\u001b'
const oursOrLineEnd = new RegExp(`(\n|${esc}\\[(?:[12]|22|3[1-6]|39)m)`)

/** Whoever put a text together may have missed a name: nothing but lines and our own colours reach a terminal. */
function harmless(text: string): string {
  return text
    .split(oursOrLineEnd)
    .map((part, n) => (n % 2 === 0 ? visible(part) : part))
    .join('')
}

/** Ends this process without a word when whoever reads its output has seen enough, such as `head`. */
export function stopAtClosedPipe(): void {
  if (process.stdout.listenerCount('error') > 0) return
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    throw error
  })
}

/** Text in colour where standard output is a terminal that wants it (NO_COLOR, FORCE_COLOR, TERM). */
export function paint(style: Style | undefined, text: string): string {
  return style ? styleText(style, text, { stream: process.stdout }) : text
}
