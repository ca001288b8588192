import type { Sql } from './database.ts'

/** An extension that has nothing but its name and the tables given to it. */
export async function standIn(sql: Sql, name: string, statements: string, tables: string[]) {
  await sql.begin((transaction) =>
    transaction.unsafe(`
      set local allow_system_table_mods = on;
      insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
      values (99999, '${name}', 'pg_database_owner'::regrole, 'public'::regnamespace, false, '1');
      ${statements};
      ${tables.map((table) => `alter extension ${name} add table ${table};`).join('\n')}
    `),
  )
}
