/** How metrics are written: the text of Prometheus 0.0.4, or OpenMetrics 1.0. */
export interface Format {
  isOpenMetrics: boolean
  contentType: string
}

type Range = { type: string; parameters: Record<string, string>; q: number }

const offers = [
  { isOpenMetrics: false, type: 'text/plain', version: '0.0.4' },
  { isOpenMetrics: true, type: 'application/openmetrics-text', version: '1.0.0' },
]

/** How names beyond ASCII may be written. Ours have none: each of these is kept by writing them as they are. */
const escapings = ['allow-utf-8', 'underscores', 'dots', 'values']

/** Chooses by an Accept header. Whoever accepts neither is given the text: a scraper is served rather than refused. */
export function negotiate(accept = '*/*'): Format {
  const ranges = parse(accept)
  const [best] = offers
    .map((offer) => ({ ...offer, range: rangeOf(offer, ranges) }))
    .filter(({ range }) => range && range.q > 0)
    .sort((one, other) => (other.range?.q ?? 0) - (one.range?.q ?? 0))
  const { isOpenMetrics, type, version } = best ?? (offers[0] as (typeof offers)[number])
  const escaping = best?.range?.parameters.escaping ?? ''
  return {
    isOpenMetrics,
    contentType: `${type}; version=${version}; charset=utf-8${escapings.includes(escaping) ? `; escaping=${escaping}` : ''}`,
  }
}

/** What a header says about an offer: of all ranges that fit, the most precise one, and of those the most welcome. */
function rangeOf(offer: (typeof offers)[number], ranges: Range[]): Range | undefined {
  const [type] = offer.type.split('/')
  return ranges
    .flatMap((range) => {
      const precision = [`*/*`, `${type}/*`, offer.type].indexOf(range.type)
      const { version } = range.parameters
      if (precision < 0 || (version !== undefined && version !== offer.version)) return []
      return [{ range, precision: precision + (version === undefined ? 0 : 1) }]
    })
    .sort((one, other) => other.precision - one.precision || other.range.q - one.range.q)[0]?.range
}

function parse(accept: string): Range[] {
  return accept.split(',').map((element) => {
    const [type = '', ...rest] = element.split(';').map((part) => part.trim().toLowerCase())
    const parameters = Object.fromEntries(
      rest.map((parameter) => {
        const [name = '', value = ''] = parameter.split('=').map((part) => part.trim())
        return [name, value.replace(/^"(.*)"$/, '$1')]
      }),
    )
    const q = parameters.q === undefined ? 1 : Number(parameters.q || Number.NaN)
    return { type, parameters, q: q >= 0 && q <= 1 ? q : 0 }
  })
}
