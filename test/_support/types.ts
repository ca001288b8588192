import pg from 'pg'

// A date is a day, not an instant: as text, it cannot slip into the day before.
const plainDates = {
  date: { to: 1082, from: [1082], serialize: (value: string) => value, parse: (value: string) => value },
}

const asIs = (text: string): unknown => text

/** By the OID of the type of the array: what one of its elements is read as, as the driver does outside of arrays. */
const elements: Record<number, (text: string) => unknown> = {
  1000: (text) => text === 't', // boolean
  1002: asIs, // "char"
  1003: asIs, // name
  1005: Number, // smallint
  1007: Number, // integer
  1009: asIs, // text
  1016: asIs, // bigint
  1028: Number, // oid
  1182: asIs, // date
  1185: (text) => new Date(text), // timestamptz
  1187: asIs, // interval
  1231: asIs, // numeric
  2210: asIs, // regclass
  3807: (text) => JSON.parse(text), // jsonb
}

const readTexts = pg.types.getTypeParser(1009 as never) as (text: string) => (string | null)[]

const arrays = Object.fromEntries(
  Object.entries(elements).map(([oid, parse]) => [
    `array_${oid}`,
    {
      to: Number(oid),
      from: [Number(oid)],
      serialize: (values: unknown[]) =>
        `{${values.map((value) => (value === null ? 'null' : quote(value))).join(',')}}`,
      parse: (text: string) => readTexts(text).map((each) => (each === null ? null : parse(each))),
    },
  ]),
)

/**
 * For a client of a test. The driver would ask each new session for the types of arrays, and when that session is
 * killed meanwhile, reject where nobody can catch it. Its reserve() hangs with a new session of such a client: connect()
 * gives a session of one's own.
 */
export const knownTypes = { fetch_types: false, types: { ...plainDates, ...arrays } }

function quote(value: unknown): string {
  const text = value instanceof Date ? value.toISOString() : String(value)
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
