import type { Sql } from './database.ts'

/** Gives the functions to a role that may read and write the tables of both schemas, and nothing else. */
export async function runAsOwner(sql: Sql, role: string): Promise<void> {
  await sql.unsafe(`
    grant usage on schema nms, nms_private to ${role};
    grant select, insert, update, delete on all tables in schema nms, nms_private to ${role};
    do $$
    declare
      v_function regprocedure;
    begin
      for v_function in select oid from pg_proc where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) loop
        execute format('alter function %s owner to ${role}', v_function);
      end loop;
    end
    $$;
  `)
}
