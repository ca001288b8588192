import test from 'ava'
import fc from 'fast-check'
import { createDatabase, type Sql } from '../../_support/database.ts'

// As people write them, and in the words of Postgres.
const units: [full: string, ...spellings: string[]][] = [
  ['seconds', 's', 'second', 'seconds'],
  ['minutes', 'm', 'min', 'minute', 'minutes'],
  ['hours', 'h', 'hour', 'hours'],
  ['days', 'd', 'day', 'days'],
  ['weeks', 'w', 'week', 'weeks'],
  ['months', 'mon', 'mons', 'month', 'months'],
  ['years', 'y', 'year', 'years'],
]
const fullOf = new Map(units.flatMap(([full, ...spellings]) => spellings.map((unit) => [unit, full])))
const numbers = fc.integer({ min: 0, max: 999_999 })

/** Of these texts, those whose meaning is not the expected one; null for a text that is refused. */
const misread = async (sql: Sql, expected: { text: string; means: string | null }[]) => [
  ...(await sql`
    select given.text, nms_private.parse_duration(duration => given.text)::text as parsed, given.means
    from jsonb_to_recordset(${sql.json(expected)}) as given ("text" text, means text)
    where
      nms_private.parse_duration(duration => given.text)::text is distinct from given.means::interval::text
  `),
]

test('every spelling of every unit, with a space or without, means what Postgres means by it in full', async (t) => {
  const { sql } = await createDatabase(t)
  const texts = fc
    .sample(numbers, 50)
    .flatMap((number) =>
      [...fullOf].flatMap(([unit, full]) =>
        ['', ' '].map((space) => ({ text: `${number}${space}${unit}`, means: `${number} ${full}` })),
      ),
    )

  t.deepEqual(await misread(sql, texts), [])
})

test('whatever else is like a time is refused', async (t) => {
  const { sql } = await createDatabase(t)
  const pieces = [
    ...fullOf.keys(),
    ' ',
    '  ',
    '0',
    '1',
    '90',
    '1234567',
    '-',
    '+',
    '.',
    'e',
    'P',
    'M',
    '\n',
    '@',
    ':',
    'ago',
  ]
  const like = fc
    .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join(''))
  const texts = fc.sample(fc.oneof(like, fc.string()), 5000).map((text) => {
    const [, number, unit = ''] = /^(\d{1,6}) ?([a-z]+)$/.exec(text) ?? []
    const full = text.includes('\n') ? undefined : fullOf.get(unit)
    return { text, means: full ? `${number} ${full}` : null }
  })

  t.deepEqual(
    await misread(
      sql,
      texts.filter(({ text }) => !text.includes('\0')),
    ),
    [],
  )
  t.true(texts.some(({ means }) => means) && texts.some(({ means }) => !means))
})

for (const text of [
  '',
  '90',
  'd',
  '90dd',
  '90 dogs',
  '1h30m',
  '1 day 2 hours',
  '-90 days',
  '+90 days',
  '1.5 days',
  '1e3 days',
  '90  days',
  ' 90 days',
  '90 days ',
  '90 days\n',
  '90 days ago',
  '3M',
  '90 Days',
  '90 DAYS',
  'P90D',
  'P3M',
  '3:00',
  '@ 90 days',
  '1000000 days',
  '1-2',
  'infinity',
  'today',
  '９０ days',
]) {
  test(`${JSON.stringify(text)} is no time`, async (t) => {
    const { sql } = await createDatabase(t)
    const [row] = await sql`select nms_private.parse_duration(duration => ${text}) as parsed`
    t.deepEqual({ ...row }, { parsed: null })
  })
}

test('a style of the session changes nothing', async (t) => {
  const { sql } = await createDatabase(t)
  for (const style of ['postgres', 'postgres_verbose', 'sql_standard', 'iso_8601']) {
    await sql`select set_config('intervalstyle', ${style}, false)`
    const [row] = await sql`
      select
        nms_private.parse_duration('30m') = make_interval(mins => 30) as minutes,
        nms_private.parse_duration('3mon') = make_interval(months => 3) as months
    `
    t.deepEqual({ ...row }, { minutes: true, months: true }, style)
  }
})
