import type { Sql } from './_connect.ts'

export interface MixedTables {
  /** How many tables, and how many rows each; a small one has up to that many. */
  small: [tables: number, rows: number]
  medium: [tables: number, rows: number]
  large: [tables: number, rows: number]
}

/** A database as they are found: most tables are small, and most rows are in few of them. */
export async function createMixedTables(sql: Sql, { small, medium, large }: MixedTables): Promise<void> {
  await createTables(sql, 'small', small, 'n * (1 + v_table % 10) / 10')
  await createTables(sql, 'medium', medium, 'n')
  await createTables(sql, 'large', large, 'n')
  await sql`vacuum (analyze)`
}

/** The tables of these schemas, quoted, the largest first. */
export async function tablesOf(sql: Sql, ...schemas: string[]): Promise<string[]> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', relnamespace::regnamespace, relname) as name
    from pg_class
    where relkind = 'r' and relnamespace::regnamespace::text = any (${schemas})
    order by relpages desc
  `
  return tables.map(({ name }) => name)
}

async function createTables(
  sql: Sql,
  schema: string,
  [tables, n]: [number, number],
  rows: string,
): Promise<void> {
  await sql.unsafe(`
    create schema ${schema};
    do $$
    declare
      n constant integer := ${n};
    begin
      for v_table in 1..${tables} loop
        execute format(
          'create table ${schema}.table_%s (
            id bigint primary key, customer_id integer, changed_at timestamptz, amount numeric(10, 2), note text
          )',
          v_table
        );
        execute format(
          'insert into ${schema}.table_%s
          select id, id %% 5000, timestamptz ''2026-01-01'' + id * interval ''1 second'', id %% 1000, ''entry '' || id
          from generate_series(1, %s) as id',
          v_table, ${rows}
        );
      end loop;
    end
    $$;
  `)
}
