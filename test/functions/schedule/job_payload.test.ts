import test from 'ava'
import { payloadAsText } from '../../../src/schedule/payload.ts'
import { createDatabase, type Sql } from '../../_support/database.ts'

const read = async (sql: Sql, text: string | null) => {
  const [{ payload }] = await sql<
    [{ payload: unknown }]
  >`select nms_private.job_payload(payload => ${text}) as payload`
  return payload
}

test('a payload that jsonb can hold is read as it stands', async (t) => {
  const { sql } = await createDatabase(t)

  for (const payload of [{}, [], null, 7, 'daily', { exclude: ['public.\u{1F4C8}', '\\u0000', '"'] }])
    t.deepEqual(await read(sql, JSON.stringify(payload)), payload)
  t.is(await read(sql, null), null)
})

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`

for (const [what, text, seen] of [
  ['a zero byte', '{"exclude": ["public.a\\u0000b"]}', 'public.a\\u0000b'],
  ['a key with a zero byte', '{"\\u0000": 1}', '"\\u0000"'],
  ['the first half of a pair', '{"exclude": ["\\ud800"]}', '\\ud800'],
  ['the second half of a pair', '["\\udc00"]', '\\udc00'],
  ['halves in the wrong order', '"\\udc00\\ud800"', '\\udc00\\ud800'],
  ['a number beyond all bounds', '{"jobs": 1e200000}', '1e200000'],
  ['an endless nesting', deep(1_000_000), '[[[['],
  ['no JSON', '{', ': {'],
] as const) {
  test(`a payload with ${what} is read as a text that shows it, and every job refuses that`, async (t) => {
    const { sql } = await createDatabase(t)

    const payload = await read(sql, text)

    t.is(typeof payload, 'string')
    t.true((payload as string).includes(seen))
    const [{ job, retention }] = await sql<[{ job: string; retention: string }]>`
      select
        nms_private.validate_job(payload => nms_private.job_payload(${text})) as job,
        nms_private.validate_prune_job(payload => nms_private.job_payload(${text})) as retention
    `
    for (const problem of [job, retention]) t.regex(problem, /^payload: saw ".*, expected an object such as/)
  })
}

test('a payload that is too deep for this process is a text that says so', (t) => {
  t.regex(JSON.parse(payloadAsText(JSON.parse(deep(1_000_000)))), /call stack/)
  t.is(payloadAsText(undefined), '{}')
})
