import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'

const expectedInsteadOf = async (sql: Sql, text: string | null) => {
  const [{ expected }] = await sql<[{ expected: string | null }]>`
    select nms_private.validate_keep_time(keep_time => ${text}) as expected
  `
  return expected
}

test('history is kept for any time that has a unit', async (t) => {
  const { sql } = await createDatabase(t)
  for (const text of ['0d', '90d', '12w', '3mon', '18 months', '3y', '5 years', '36h', '30min', '90 days'])
    t.is(await expectedInsteadOf(sql, text), null, text)
})

test('m may be minutes or months: it says which two to choose from', async (t) => {
  const { sql } = await createDatabase(t)
  for (const text of ['3m', '3 m'])
    t.regex((await expectedInsteadOf(sql, text)) ?? '', new RegExp(`^"${text}on" or "${text}in"`))
})

test('what is no time is refused with examples', async (t) => {
  const { sql } = await createDatabase(t)
  for (const text of ['', '90', '90 dogs', '-90 days', '1.5 years', null])
    t.regex(
      (await expectedInsteadOf(sql, text)) ?? '',
      /^one number and one unit, such as "90d"/,
      String(text),
    )
})
