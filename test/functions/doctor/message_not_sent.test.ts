import test from 'ava'
import { createDatabase } from '../../_support/database.ts'

test('a message that waits for an hour, or will not be sent, is a warning with its reason', async (t) => {
  const { sql } = await createDatabase(t)
  const problems = async () =>
    (
      await sql<{ subject: string; detail: string }[]>`
        select subject, detail from nms.find_problems() where problem = 'message_not_sent' order by subject
      `
    ).map(({ subject, detail }) => [subject, detail])
  await sql`
    insert into nms_private.messages (about, body, written_at, sent_at, given_up_at, problem) values
      ('run 1', '{}', now() - interval '2 hours', now(), null, null),
      ('run 2', null, now() - interval '2 hours', null, null, null),
      ('run 3', '{}', now(), null, null, 'it answered 500'),
      ('run 4', '{}', now() - interval '8 days', null, now(), 'it answered 404')
  `
  t.deepEqual(await problems(), [])

  await sql`
    insert into nms_private.messages (about, body, written_at, given_up_at, problem) values
      ('run 5', '{}', now() - interval '2 hours', null, 'it answered 500'),
      ('run 6', '{}', now(), now(), 'it answered 404')
  `

  t.deepEqual(await problems(), [
    ['run 5', 'it waits to be sent: it answered 500'],
    ['run 6', 'it will not be sent: it answered 404'],
  ])
})
