import type postgres from 'postgres'
import { objectName } from './checkout.ts'

/** What is to be said about new functions that nobody may call: their line in migrations/roles.sql may be missing. */
export async function missingGrants(sql: postgres.Sql, fixtures: string[]): Promise<string[]> {
  const found = await sql<{ name: string; is_private: boolean }[]>`
    select
      format('%I.%I', schema.nspname, function.proname) as name,
      schema.nspname = 'nms_private' as is_private
    from pg_proc as function
    join pg_namespace as schema on schema.oid = function.pronamespace and schema.nspname in ('nms', 'nms_private')
    where
      function.proname = any (${fixtures.map(objectName)})
      and not exists (
        select
        from pg_roles as role
        where
          role.rolname in (
            'table_metrics_collector', 'table_metrics_worker', 'table_metrics_maintainer', 'table_metrics_reader',
            'table_metrics_requester'
          )
          and has_function_privilege(role.oid, function.oid, 'execute')
      )
      and (schema.nspname = 'nms' or not (
        -- Views, triggers and constraints depend on it; bodies of functions only name it.
        exists (
          select
          from pg_depend as dependency
          where
            dependency.refclassid = 'pg_proc'::regclass
            and dependency.refobjid = function.oid
            and dependency.deptype in ('n', 'a')
        )
        or exists (
          select
          from pg_proc as caller
          where
            caller.oid <> function.oid
            and caller.pronamespace in (
              select oid from pg_namespace where nspname in ('nms', 'nms_private')
            )
            and regexp_replace(caller.prosrc, '--[^\n]*', '', 'g')
              ~ concat('\\mnms_private\\.', function.proname, '\\M')
        )
      ))
    order by 1
  `
  return found.map(({ name, is_private }) =>
    is_private
      ? `nothing in the database calls ${name}, and no role may call it yet: if the runner does, add a line to migrations/roles.sql`
      : `no role may call ${name} yet: add a line to migrations/roles.sql`,
  )
}
