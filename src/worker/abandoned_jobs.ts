import type { Sql } from '../connection/database.ts'
import { pruneTaskName, pruningSession, sendTaskName, taskName } from '../schedule/crontab.ts'

/**
 * Frees the jobs of workers that died, which would stay locked for four hours: jobs that were taken more than a
 * minute ago and left no trace in the last one, neither a run nor a session that prunes; sending takes less. A worker that has
 * other tasks as well is left alone.
 *
 * @param schema that of graphile-worker
 * @param dead workers that are known to be dead
 */
export async function freeAbandonedJobs(sql: Sql, schema: string, dead: string[]): Promise<void> {
  const worker = sql(schema)
  await sql`
    select ${worker}.force_unlock_workers(array_agg(abandoned.locked_by))
    from (
      select job.locked_by
      from ${worker}.jobs as job
      where job.locked_by is not null
      group by job.locked_by
      having job.locked_by = any (${dead}::text[]) or bool_and(
        job.task_identifier in (${taskName}, ${pruneTaskName}, ${sendTaskName})
        and job.locked_at < now() - interval '1 minute'
        and not exists (
          select
          from nms.table_metrics_runs as run
          where
            job.task_identifier = ${taskName}
            and run.collected_at >= job.locked_at
            and (run.status = 'RUNNING' or run.finished_at > now() - interval '1 minute')
        )
        and not exists (
          select
          from pg_stat_activity as session
          where
            job.task_identifier = ${pruneTaskName}
            and session.datname = current_database()
            and session.application_name = ${pruningSession}
            -- A pooler keeps a session, with its name, after its client has gone. Null: not for our eyes.
            and (session.state is distinct from 'idle' or session.state_change > now() - interval '1 minute')
        )
      )
    ) as abandoned
  `
}
