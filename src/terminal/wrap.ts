import stringWidth from 'string-width'

/** The lines of a text that is wrapped between words; a word that is wider than a line has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line ? `${line} ${word}` : word
    if (line && stringWidth(longer) > width) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line]
}

/** A text in that many lines at most, all but the first indented, and … for what is missing. */
export function wrapLine(text: string, width: number, most = Number.POSITIVE_INFINITY): string {
  const indent = '  '
  const [first = '', ...rest] = wrap(text, width - indent.length)
  const lines = [first, ...rest.map((line) => indent + line)]
  return [
    ...lines.slice(0, most - 1),
    ...lines.slice(most - 1, most).map((line) => (lines.length > most ? `${line} …` : line)),
  ].join('\n')
}
