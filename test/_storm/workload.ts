import { readFile } from 'node:fs/promises'
import type { Sql } from '../_support/database.ts'
import type { Expected, Measurement, Sum } from './checker.ts'

/** A table of which count(*) shows one of these numbers at any time. */
const constant = (table: string, ...totals: number[]): Sum => ({
  name: table,
  tables: [table],
  column: 'row_count',
  totals,
  isOneFamily: true,
})

const constants = [
  constant('bank.solo_1', 100),
  constant('bank.solo_2', 37),
  constant('bank.solo_3', 3000),
  constant('bank.solo_4', 0),
  constant('bank.twin_1', 70, 90), // they swap their names
  constant('bank.twin_2', 70, 90),
  constant('east.twin', 65, 80), // their schemas swap names
  constant('west.twin', 65, 80),
  constant('parts.orders', 510),
  constant('parts.flow', 60, 85, 100, 125), // without and with those that come and go
  constant('parts.comer', 40),
  constant('parts.band', 25),
  constant('heirs.a', 300),
  constant('heirs.b', 140),
  constant('heirs.c', 140),
  constant('heirs.y', 110),
  constant('heirs.z', 100),
  constant('heirs.host', 80, 125),
  constant('heirs.guest', 45),
]

/** Of these, only how many rows they have together is known. */
const changing = [
  ...['bank.vault', 'bank.pool_1', 'bank.pool_2', 'away.pool_3'],
  ...['parts.orders_1', 'parts.orders_2', 'away.orders_3', 'parts.orders_sub'],
  ...['parts.orders_10', 'parts.orders_11', 'parts.spare_1', 'parts.spare_2', 'parts.flow_1', 'parts.flow_2'],
  ...['parts.band_20', 'parts.band_21'],
  ...['away.a2', 'heirs.b2', 'heirs.d', 'heirs.d2', 'heirs.e', 'heirs.spare'],
  ...['heirs.y1', 'heirs.z1', 'heirs.yz1', 'heirs.yz2', 'heirs.host_1', 'heirs.guest_1'],
]
/** What exists now and then. */
const ghosts = ['bank.ghost', 'heirs.ghost', 'away.ghost']
const nomad = ['bank.nomad', 'away.nomad']
const tables = [...constants.flatMap((sum) => sum.tables), ...changing]
const pair = (name: string, of: string[], total: number): Sum => ({
  name,
  tables: of,
  column: 'row_count',
  totals: [total],
  isOneFamily: false,
})

/** What must hold of every run that succeeded. */
export const expected: Expected = {
  tables,
  sums: [
    ...constants,
    { ...pair('the one that changes its schema', nomad, 60), isOneFamily: true },
    pair('the two that swap names', ['bank.twin_1', 'bank.twin_2'], 160),
    pair('the two of which the schemas swap names', ['east.twin', 'west.twin'], 145),
    {
      name: 'the whole database',
      tables: [...tables, ...nomad, ...ghosts],
      column: 'own_row_count',
      totals: [7522],
      isOneFamily: false,
    },
  ],
}

/** Makes the tables, and the functions that change them. */
export async function createWorld(sql: Sql): Promise<void> {
  for (const file of ['world.sql', 'families.sql', 'changes.sql', 'tables.sql']) {
    await sql.unsafe(await readFile(new URL(file, import.meta.url), 'utf8'))
  }
  await sql`insert into storm.constants select unnest(${constants.map(({ name }) => name)}::text[])`
  await sql`update nms.table_metrics_settings set machinery_schemas = machinery_schemas || '{storm}'::text[]`
}

/** What there really is, read while nobody can change anything. */
export async function readWorld(sql: Sql): Promise<Measurement[]> {
  return sql.begin(async (transaction) => {
    await transaction`set local lock_timeout = '2 s'`
    await transaction`lock table pg_namespace in share mode` // a schema's name is not locked with its tables
    await transaction`
      do $$ begin
        execute 'lock table ' || (select string_agg(storm.name_of(oid), ', ') from storm.workload) || ' in share mode';
      end $$
    `.simple()
    const rows = await transaction<Measurement[]>`
      select
        storm.name_of(oid) as "table",
        oid::text,
        storm.rows_in(storm.name_of(oid), own => false)::integer as row_count,
        storm.rows_in(storm.name_of(oid))::integer as own_row_count
      from storm.workload
    `
    return [...rows]
  })
}
