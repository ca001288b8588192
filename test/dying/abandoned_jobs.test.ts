import test from 'ava'
import { runMigrations } from 'graphile-worker'
import { pinned } from '../../src/connection/search_path.ts'
import { freeAbandonedJobs } from '../../src/worker/abandoned_jobs.ts'
import { createDatabase, type TestDatabase } from '../_support/database.ts'

const cases: Record<string, { arrange: string; free: boolean; dead?: string[] }> = {
  'was taken a while ago, and no run has been under way since': { arrange: '', free: true },
  'was taken just now': {
    arrange: `update graphile_worker._private_jobs set locked_at = now() - interval '30 s'`,
    free: false,
  },
  'was taken just now, by a worker that is known to be dead': {
    arrange: `update graphile_worker._private_jobs set locked_at = now()`,
    free: true,
    dead: ['pool-1'],
  },
  'may have a run that is under way': { arrange: 'select nms.open_run()', free: false },
  'may have a run that has just ended': {
    arrange: 'select nms.collect_table_metrics()',
    free: false,
  },
  'may have had a run that ended a while ago': {
    arrange: `
      select nms.collect_table_metrics();
      set local session_replication_role = replica; -- history may not be rewritten otherwise
      update nms.table_metrics_runs
      set collected_at = now() - interval '4 minutes', finished_at = now() - interval '3 minutes'
    `,
    free: true,
  },
  'is younger than the run that is under way': {
    arrange: `
      select nms.open_run();
      update nms.table_metrics_runs set collected_at = now() - interval '1 hour'
    `,
    free: true,
  },
  'belongs to a worker with other tasks': {
    arrange: `
      select graphile_worker.add_job('send_mail');
      update graphile_worker._private_jobs set locked_by = 'pool-1', locked_at = now() - interval '5 minutes'
    `,
    free: false,
  },
}

for (const [what, { arrange, free, dead = [] }] of Object.entries(cases)) {
  test(`a job that ${what} is ${free ? 'freed' : 'left alone'}`, async (t) => {
    const db = await createDatabase(t)
    await runMigrations({ connectionString: db.url })
    await db.sql.unsafe(`
      select graphile_worker.add_job('collect_table_metrics');
      update graphile_worker._private_jobs
      set attempts = 1, locked_by = 'pool-1', locked_at = now() - interval '5 minutes';
      ${arrange}
    `)

    await freeAbandonedJobs(pinned(db.sql), 'graphile_worker', dead)

    const [{ is_free }] = await db.sql<[{ is_free: boolean }]>`
      select locked_by is null as is_free
      from graphile_worker.jobs
      where task_identifier = 'collect_table_metrics'
    `
    t.is(is_free, free)
  })
}

/** A session that a job which prunes might have. */
const session = async ({ connect }: TestDatabase, statement: string) => {
  const sql = connect({ connection: { application_name: 'table-metrics prune' } })
  await sql.unsafe(statement)
  return sql
}

const pruning: Record<string, { arrange: (db: TestDatabase) => Promise<unknown>; free: boolean }> = {
  'was taken a while ago, and nobody prunes': { arrange: async () => undefined, free: true },
  'was taken just now': {
    arrange: ({ sql }) => sql`update graphile_worker._private_jobs set locked_at = now() - interval '30 s'`,
    free: false,
  },
  'may have the session between two transactions': {
    arrange: (db) => session(db, 'select 1'),
    free: false,
  },
  'may have the session that is at it': {
    arrange: (db) => session(db, 'begin'),
    free: false,
  },
  'was taken a while ago, though a run is under way': {
    arrange: ({ sql }) => sql`select nms.open_run()`,
    free: true,
  },
  'was taken by a worker that has another task, too': {
    arrange: ({ sql }) =>
      sql.unsafe(`
      select graphile_worker.add_job('send_mail');
      update graphile_worker._private_jobs set locked_by = 'pool-1', locked_at = now() - interval '5 minutes'
    `),
    free: false,
  },
  'was taken by a worker that collects at this moment': {
    arrange: ({ sql }) =>
      sql.unsafe(`
      select graphile_worker.add_job('collect_table_metrics');
      update graphile_worker._private_jobs set locked_by = 'pool-1', locked_at = now() - interval '5 minutes';
      select nms.open_run()
    `),
    free: false,
  },
}

for (const [what, { arrange, free }] of Object.entries(pruning)) {
  test(`a job that prunes and ${what} is ${free ? 'freed' : 'left alone'}`, async (t) => {
    const db = await createDatabase(t)
    await runMigrations({ connectionString: db.url })
    await db.sql.unsafe(`
      select graphile_worker.add_job('prune_table_metrics');
      update graphile_worker._private_jobs
      set attempts = 1, locked_by = 'pool-1', locked_at = now() - interval '5 minutes'
    `)
    await arrange(db)

    await freeAbandonedJobs(pinned(db.sql), 'graphile_worker', [])

    const [{ is_free }] = await db.sql<[{ is_free: boolean }]>`
      select locked_by is null as is_free
      from graphile_worker.jobs
      where task_identifier = 'prune_table_metrics'
    `
    t.is(is_free, free)
  })
}
