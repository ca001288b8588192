import test from 'ava'
import { cloudEvent, startEventService } from '../_support/event_service.ts'
import { eventually } from '../_support/eventually.ts'
import { installJobs, jobs } from '../_support/jobs.ts'
import { type OwnServer, startOwnServer } from '../_support/server.ts'

let server: OwnServer

test.before(async () => {
  server = await startOwnServer()
})
test.after.always(() => server.remove())

test('while the database is away senders are told to try later, and what they try later is one run', async (t) => {
  const db = await server.createDatabase(t)
  await installJobs(db.url)
  const { post } = await startEventService(t, db.url)
  t.is((await post(...cloudEvent('before'))).status, 202)

  await server.stop('immediate')
  const away = await post(...cloudEvent('1'))
  const stillAway = await post(...cloudEvent('1'))
  await server.start()

  for (const answer of [away, stillAway]) {
    t.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '5'])
    t.regex(answer.headers.get('content-type') ?? '', /^application\/problem\+json/)
  }
  const answers: number[] = []
  await eventually(async () => {
    const { status } = await post(...cloudEvent('1'))
    answers.push(status)
    return status < 300
  }, 'the event is taken')
  t.is(answers.at(-1), 202)
  t.is((await post(...cloudEvent('1'))).status, 204)
  t.is((await jobs(db)).length, 2)
})
