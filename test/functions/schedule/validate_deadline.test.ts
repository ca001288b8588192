import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'

const expectedInsteadOf = async (sql: Sql, text: string | null) => {
  const [{ expected }] = await sql<[{ expected: string | null }]>`
    select nms_private.validate_deadline(deadline => ${text}) as expected
  `
  return expected
}

test('a deadline is a time of any unit that is always as long, short or in full', async (t) => {
  const { sql } = await createDatabase(t)
  for (const text of ['30m', '30min', '30 minutes', '90s', '2h', '1 hour', '2d', '1 week', '999999h'])
    t.is(await expectedInsteadOf(sql, text), null, text)
})

for (const [text, expected] of [
  ['', /^one number and one unit, such as "30m"/],
  ['30', /^one number and one unit/],
  ['1h30m', /^one number and one unit/],
  [null, /^one number and one unit/],
  ['0m', /^more than no time, such as "30m"/],
  ['0 years', /^more than no time/],
  ['1 month', /^a unit that is always as long, such as "30m"/],
  ['12mon', /^a unit that is always as long/],
  ['300000 years', /^a unit that is always as long/],
] as const) {
  test(`${JSON.stringify(text)} is no deadline`, async (t) => {
    const { sql } = await createDatabase(t)
    t.regex((await expectedInsteadOf(sql, text)) ?? '', expected)
  })
}
