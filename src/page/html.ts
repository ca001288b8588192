/** Markup that is safe to send: made by {@link html}, in which every value is escaped unless it is one of these. */
export class Html {
  readonly markup: string
  constructor(markup: string) {
    this.markup = markup
  }

  toString(): string {
    return this.markup
  }
}

type Value = Html | string | number | bigint | null | undefined | false | readonly Value[]

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Markup with values, each escaped; null, undefined and false are nothing, a list is its items one after the other. */
export function html(strings: TemplateStringsArray, ...values: Value[]): Html {
  return new Html(strings.reduce((before, part, n) => before + markupOf(values[n - 1]) + part))
}

function markupOf(value: Value): string {
  if (value instanceof Html) return value.markup
  if (Array.isArray(value)) return value.map(markupOf).join('')
  if (value === null || value === undefined || value === false) return ''
  return String(value).replaceAll(/[&<>"']/g, (character) => entities[character] as string)
}
