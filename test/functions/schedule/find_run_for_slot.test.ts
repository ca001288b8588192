import test from 'ava'
import { createDatabase, type Run, type Sql } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'

interface Job {
  action: 'collect' | 'reject' | 'served' | 'wait'
  run_id: string
}

const openJob = (sql: Sql, ts: string) => sql<[Job]>`
  select action, run_id from nms_private.open_job(payload => ${JSON.stringify({ _cron: { ts } })}::text::jsonb)
`

/** A run for a slot, whose session has died an hour ago. */
async function abandonedRun(sql: Sql, ts: string): Promise<string> {
  const [{ run_id }] = await openJob(sql, ts)
  await sql`update nms.table_metrics_runs set collected_at = now() - interval '1 hour' where run_id = ${run_id}`
  return run_id
}

for (const ending of ['commit', 'rollback'] as const) {
  test(`a run that another session is ending as abandoned is nothing to wait for: ${ending}`, async (t) => {
    const db = await createDatabase(t)
    await abandonedRun(db.sql, '2024-11-19T05:15:00Z')
    const upkeep = db.connect()
    await upkeep`begin`
    t.is((await upkeep`select from nms.abandon_silent_runs()`).length, 1)
    const session = db.connect()
    const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
    let answer: string | undefined
    const opening = openJob(session, '2024-11-20T05:15:00Z').then(([job]) => {
      answer = job.action
      return job
    })
    await eventually(
      async () =>
        answer !== undefined ||
        (await db.sql`select from pg_locks where pid = ${pid} and not granted`).length > 0,
      'it has met the header that is locked',
    )

    await upkeep.unsafe(ending)

    t.like(await opening, { action: 'collect', run_id: '2' })
    const runs = await db.sql<Run[]>`select * from nms.table_metrics_runs order by run_id`
    t.deepEqual(
      runs.map(({ status }) => status),
      ['FAILED', 'RUNNING'],
    )
    t.regex(runs[0]?.error_message ?? '', /^abandoned/)
  })
}

test('a run that has been silent for long, and that a session counts, is waited for', async (t) => {
  const db = await createDatabase(t)
  const run_id = await abandonedRun(db.sql, '2024-11-19T05:15:00Z')
  const counting = db.connect()
  await counting`begin`
  await counting`select from nms_private.claim_run(run_id => ${run_id})`

  const [job] = await openJob(db.sql, '2024-11-20T05:15:00Z')

  t.like(job, { action: 'wait', run_id })
  await counting`commit`
  const [run] = await db.sql<[Run]>`select * from nms.table_metrics_runs`
  t.is(run.status, 'RUNNING')
})
