/** What a question may do. */
export interface Acting {
  /** As which role, where it has rights and the login may become it: otherwise as the login itself. */
  role: string
  readOnly: boolean
}

/** What goes before each question, in the same message and transaction. */
export function preambleOf({ role, readOnly }: Acting): string {
  return [
    ...(readOnly ? ['set transaction read only'] : []),
    "set local statement_timeout = '15s'",
    "set local lock_timeout = '5s'",
    becomes(role),
  ].join(';\n')
}

/**
 * Gives up the rights of the login, however many those are. Roles belong to the whole server: this one may be there for
 * another database only.
 */
function becomes(role: string): string {
  return `
    select set_config('role', role.rolname, true)
    from pg_roles as role
    where
      role.rolname = '${role}'
      and pg_has_role(
        role.oid,
        case when current_setting('server_version_num')::integer >= 160000 then 'set' else 'member' end
      )
      and has_schema_privilege(role.oid, to_regnamespace('nms')::oid, 'usage')
  `
}
