import test from 'ava'
import {
  diamond,
  early,
  late,
  measuredAsPayload,
  partitioned,
  payload,
  startCollecting,
} from '../../_support/collecting.ts'
import { createDatabase, rowCounts } from '../../_support/database.ts'

// Each statement of "meanwhile" is committed before the next, after the snapshot and before the table is counted.
const changed: {
  promise: string
  tables: string
  exclude?: string[]
  meanwhile: string[]
  expected: Record<string, number>
}[] = [
  {
    promise: 'dropped in mid-run leaves no measurement',
    tables: late,
    meanwhile: ['drop table public.late'],
    expected: {},
  },
  {
    promise: 'dropped and created again in mid-run is counted',
    tables: late,
    meanwhile: [`drop table public.late; ${late}; insert into public.late values (4)`],
    expected: { 'public.late': 4 },
  },
  {
    promise: 'truncated in mid-run is counted as it is then',
    tables: late,
    meanwhile: ['truncate public.late'],
    expected: { 'public.late': 0 },
  },
  {
    promise: 'truncated and filled again in mid-run is counted as it is then',
    tables: late,
    meanwhile: ['truncate public.late', 'insert into public.late select generate_series(1, 5)'],
    expected: { 'public.late': 5 },
  },
  ...[
    'alter table public.late alter column id type bigint',
    'vacuum full public.late',
    'cluster public.late using late_pkey',
  ].map((rewrite) => ({
    promise: `rewritten in mid-run keeps its rows: ${rewrite}`,
    tables: late,
    meanwhile: [rewrite],
    expected: { 'public.late': 3 },
  })),
  {
    promise: 'whose child was rewritten in mid-run counts with it',
    tables: diamond,
    meanwhile: ['alter table public.persons alter column id type bigint'],
    expected: { 'public.authors': 10, 'public.both': 7, 'public.editors': 12, 'public.persons': 17 },
  },
  {
    promise: 'with a partition that was truncated and filled again in mid-run is the sum of its partitions',
    tables: partitioned,
    meanwhile: [
      'truncate public.sales_1',
      'insert into public.sales_1 select 1, generate_series(1, 5)',
      'insert into public.sales_2 values (2, 0)', // in the snapshot under which all are counted again
    ],
    expected: { 'public.sales': 10, 'public.sales_1': 5, 'public.sales_2': 5 },
  },
  {
    promise: 'whose partitions were all rewritten in mid-run is the sum of its partitions',
    tables: partitioned,
    meanwhile: ['alter table public.sales alter column id type int'],
    expected: { 'public.sales': 7, 'public.sales_1': 3, 'public.sales_2': 4 },
  },
  {
    promise: 'with a partition that was replaced in mid-run is the sum of its partitions',
    tables: partitioned,
    meanwhile: [
      `
        drop table public.sales_1;
        create table public.sales_1 as select 1 as region, generate_series(1, 6)::bigint as id;
        alter table public.sales attach partition public.sales_1 for values in (1);
      `,
    ],
    expected: { 'public.sales': 10, 'public.sales_1': 6, 'public.sales_2': 4 },
  },
  {
    promise: 'with a partition that was dropped in mid-run is the sum of the others',
    tables: partitioned,
    meanwhile: ['drop table public.sales_1'],
    expected: { 'public.sales': 4, 'public.sales_2': 4 },
  },
  {
    promise: 'whose sum needs an excluded partition keeps its rows when all are rewritten in mid-run',
    tables: partitioned,
    exclude: ['public.sales_2'],
    meanwhile: ['alter table public.sales alter column id type int'],
    expected: { 'public.sales': 7, 'public.sales_1': 3 },
  },
  {
    promise: 'whose sum needs an excluded partition has its new rows when that is refilled in mid-run',
    tables: partitioned,
    exclude: ['public.sales_2'],
    meanwhile: ['truncate public.sales_2', 'insert into public.sales_2 select 2, generate_series(1, 5)'],
    expected: { 'public.sales': 8, 'public.sales_1': 3 },
  },
  {
    promise: 'whose sum needs an excluded child has its new rows when that is refilled in mid-run',
    tables: diamond,
    exclude: ['public.both'],
    meanwhile: ['truncate public.both', 'insert into public.both select generate_series(1, 9)'],
    expected: { 'public.authors': 12, 'public.editors': 14, 'public.persons': 19 },
  },
]

for (const { promise, tables, exclude = [], meanwhile, expected } of changed) {
  test(`a table ${promise}`, async (t) => {
    const db = await createDatabase(t)
    const underway = await startCollecting(db, tables, exclude)
    for (const statement of meanwhile) await db.sql.unsafe(statement)

    const run = await underway.finish()

    t.is(run.error_message, null)
    t.is(run.status, 'SUCCEEDED')
    t.deepEqual(await rowCounts(db.sql, run), { 'public.blocker': 3000, ...expected })
    t.deepEqual(await payload(db.sql, run), await measuredAsPayload(db.sql, run))
  })
}

// Whether by its old name or by its new one: every table is measured once.
const renamed: [promise: string, meanwhile: string][] = [
  ['renamed', 'alter table public.late rename to later'],
  ['moved to another schema', 'create schema archive; alter table public.late set schema archive'],
  [
    'exchanged for one that is not counted yet',
    'alter table public.late rename to previous; alter table public.next rename to late',
  ],
  [
    'exchanged for one that has been counted',
    'alter table public.early rename to previous; alter table public.late rename to early',
  ],
  [
    'rewritten while a counted one is renamed',
    'alter table public.early rename to earlier; alter table public.late alter column id type bigint',
  ],
]

for (const [promise, meanwhile] of renamed) {
  test(`a table is counted, and every other one once, when it is ${promise} in mid-run`, async (t) => {
    const db = await createDatabase(t)
    const underway = await startCollecting(
      db,
      `${late}; create table public.next as select generate_series(1, 8) as id`,
      [],
      early,
    )
    const tables = await db.sql`
      select table_name::regclass::oid as table_oid, row_count
      from (values ('public.blocker', '3000'), ('public.early', '6000'), ('public.late', '3'), ('public.next', '8'))
        as existing (table_name, row_count)
      order by 1
    `
    await db.sql.unsafe(meanwhile)

    const run = await underway.finish()

    const measured = await db.sql`
      select table_oid, row_count
      from nms.table_metrics_measurements
      where run_id = ${run.run_id}
      order by 1
    `
    t.is(run.error_message, null)
    t.deepEqual([...measured], [...tables])
  })
}

for (const [other, statement] of [
  ['another partition', 'truncate public.sales_2'],
  ['an unrelated table', 'truncate public.late'],
] as const) {
  test(`a partitioned table is the sum of its partitions when a counted one is replaced and ${other} emptied in mid-run`, async (t) => {
    const db = await createDatabase(t)
    const underway = await startCollecting(
      db,
      `
        ${late};
        ${partitioned}
        insert into public.sales select 1, generate_series(1, 6000);
        analyze public.sales_1;
      `,
    )
    await db.sql.unsafe(`
      drop table public.sales_1;
      create table public.sales_1 partition of public.sales for values in (1);
      insert into public.sales_1 select 1, generate_series(1, 5);
      ${statement};
    `)

    const run = await underway.finish()

    const counts = await rowCounts(db.sql, run)
    const second = other === 'another partition' ? 0 : 4
    t.is(run.status, 'SUCCEEDED')
    t.deepEqual(counts, {
      'public.blocker': 3000,
      'public.late': other === 'another partition' ? 3 : 0,
      'public.sales': 5 + second,
      'public.sales_1': 5,
      'public.sales_2': second,
    })
  })
}
