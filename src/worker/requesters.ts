import { readFile } from 'node:fs/promises'
import type { Sql } from '../connection/database.ts'
import { migrationsFolder } from '../install/migrations.ts'

/**
 * Lets the members of table_metrics_requester queue runs, where graphile-worker's schema is ours to give rights in and
 * they may not yet.
 */
export async function admitRequesters(sql: Sql, schema: string): Promise<void> {
  const [missing] = await sql<[{ schema: string }?]>`
    select quote_literal(schema.nspname) as schema
    from pg_namespace as schema
    join pg_class as job on job.relnamespace = schema.oid and job.relname = '_private_jobs'
    join pg_roles as role on role.rolname = 'table_metrics_requester'
    where
      schema.nspname = ${schema}
      and pg_has_role(schema.nspowner, 'usage')
      and pg_has_role(job.relowner, 'usage')
      and has_schema_privilege(role.oid, 'nms', 'usage')
      and not exists (
        select
        from pg_policy as policy
        where policy.polrelid = job.oid and role.oid = any (policy.polroles)
      )
  `
  if (!missing) return
  const script = await readFile(`${migrationsFolder}/requester_roles.sql`, 'utf8')
  await sql.unsafe(`set local nms.worker_schema = ${missing.schema};\n${script}`)
}
