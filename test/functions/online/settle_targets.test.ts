import test from 'ava'
import {
  createDatabase,
  type Run,
  rowCounts,
  type Sql,
  type TestDatabase,
  untilItWaits,
} from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'

interface Progress {
  tables_counted: string
  tables_left: string
  is_finished: boolean
}

async function open(sql: Sql, skip: string[] = []) {
  const [{ run_id }] = await sql<
    [{ run_id: string }]
  >`select nms.open_run(skip => ${sql.json(skip)}) as run_id`
  return run_id
}

async function measure(sql: Sql, run_id: string, budget = '0 s') {
  const [progress] = await sql<[Progress]>`
    select * from nms.measure_targets(run_id => ${run_id}, budget => ${budget}::interval)
  `
  return progress
}

/** Counts what is queued, without looking whether that is all. */
async function countQueued(sql: Sql, run_id: string) {
  while ((await measure(sql, run_id)).tables_left !== '0');
}

const measureAll = (sql: Sql, run_id: string) =>
  eventually(async () => (await measure(sql, run_id, '1 min')).is_finished, `run ${run_id} has been counted`)

async function close(sql: Sql, run_id: string) {
  const [run] = await sql<[Run]>`select * from nms.close_run(run_id => ${run_id})`
  return run
}

async function settle(sql: Sql, run_id: string) {
  await sql`select nms_private.settle_targets(run_id => ${run_id})`
  const [header] = await sql<[Run]>`select * from nms.table_metrics_runs where run_id = ${run_id}`
  const queue = await sql<{ round: number; tables: number; is_done: boolean }[]>`
    select round::int, sum(cardinality(targets))::int as tables, is_done
    from nms_private.targets
    where run_id = ${run_id}
    group by round, is_done
    order by round, is_done
  `
  return { header, queue: queue.map(({ round, tables, is_done }) => [round, tables, is_done]) }
}

// Planning its count waits at a gate. Created after the others: its file is newer, and it is counted before them.
const gated = `
  create function public.pass_the_gate() returns boolean language plpgsql immutable
  set lock_timeout = '1 min'
  as $$ begin perform pg_advisory_xact_lock_shared(4711); return true; end $$;
  create table public.gated as select generate_series(1, 10000) as id;
  analyze public.gated;
  create index on public.gated (id) where public.pass_the_gate();
`

const late = `
  create table public.late as select generate_series(1, 3) as id;
  create table public.other as select generate_series(1, 4) as id;
`
const sales = `
  create table public.sales (region int, id bigint) partition by list (region);
  create table public.sales_1 partition of public.sales for values in (1);
  create table public.sales_2 partition of public.sales for values in (2);
  insert into public.sales select 1, generate_series(1, 3);
  insert into public.sales select 2, generate_series(1, 4);
`
const persons = `
  create table public.persons as select generate_series(1, 2) as id;
  create table public.authors () inherits (public.persons);
  insert into public.authors select generate_series(1, 3);
`
const files = 'create extension file_fdw; create server files foreign data wrapper file_fdw;'
const far = `
  ${files}
  create table public.far (id int) partition by list (id);
  create foreign table public.far_1 partition of public.far default server files options (program 'seq 1 5');
  create table public.far_2 partition of public.far for values in (2);
  insert into public.far_2 values (2), (2);
`

type Counts = Record<string, number>
type Moment = 'after it was queued' | 'after the snapshot was taken' | 'after it was counted'

const changes: {
  what: string
  tables: string
  change: string
  /** What may be found when the change came before the count; each has every table once. */
  after: Counts[]
  /** When it came after the snapshot, if that is something else: a family is as of that, with the members it had then. */
  asOfSnapshot?: Counts[]
  /** When it came after the count, if that is something else. */
  settled?: Counts[]
}[] = [
  {
    what: 'a table is dropped',
    tables: late,
    change: 'drop table public.late',
    after: [{ other: 4 }],
    settled: [{ late: 3, other: 4 }],
  },
  {
    what: 'a table is dropped and created anew',
    tables: late,
    change: 'drop table public.late; create table public.late as select generate_series(1, 9) as id',
    after: [{ late: 9, other: 4 }],
  },
  {
    what: 'a table is truncated',
    tables: late,
    change: 'truncate public.late',
    after: [{ late: 0, other: 4 }],
    settled: [{ late: 3, other: 4 }],
  },
  {
    what: 'a table is truncated and filled again',
    tables: late,
    change: 'truncate public.late; insert into public.late select generate_series(1, 5)',
    after: [{ late: 5, other: 4 }],
    settled: [{ late: 3, other: 4 }],
  },
  {
    what: 'a table is rewritten',
    tables: late,
    change: 'alter table public.late alter column id type bigint',
    after: [{ late: 3, other: 4 }],
  },
  {
    what: 'a table is compacted',
    tables: late,
    change: 'vacuum full public.late',
    after: [{ late: 3, other: 4 }],
  },
  {
    what: 'a table is renamed',
    tables: late,
    change: 'alter table public.late rename to later',
    after: [
      { late: 3, other: 4 },
      { later: 3, other: 4 },
    ],
  },
  {
    what: 'a table moves to another schema',
    tables: late,
    change: 'create schema archive; alter table public.late set schema archive',
    after: [
      { late: 3, other: 4 },
      { 'archive.late': 3, other: 4 },
    ],
  },
  {
    what: 'two tables exchange their names',
    tables: late,
    change: `
      alter table public.late rename to between;
      alter table public.other rename to late;
      alter table public.between rename to other;
    `,
    after: [
      { late: 3, other: 4 },
      { late: 4, other: 3 },
    ],
  },
  {
    what: 'a table takes the place of another one, which is kept',
    tables: late,
    change: `
      create table public.late_new as select generate_series(1, 9) as id;
      alter table public.late rename to late_old;
      alter table public.late_new rename to late;
    `,
    after: [
      { late: 3, other: 4 },
      { late: 9, late_old: 3, other: 4 },
    ],
  },
  {
    what: 'a table takes the place of another one, which is dropped',
    tables: late,
    change: `
      create table public.late_new as select generate_series(1, 9) as id;
      drop table public.late;
      alter table public.late_new rename to late;
    `,
    after: [{ late: 9, other: 4 }],
  },
  {
    what: 'a table appears',
    tables: late,
    change: 'create table public.fresh as select generate_series(1, 2) as id',
    after: [{ fresh: 2, late: 3, other: 4 }],
  },
  {
    what: 'a table becomes a partition of one with its name',
    tables: late,
    change: `
      alter table public.late rename to late_1;
      create table public.late (id int) partition by range (id);
      alter table public.late attach partition public.late_1 default;
    `,
    after: [
      { late: 3, other: 4 },
      { late: 3, late_1: 3, other: 4 },
    ],
  },
  {
    what: 'a partition is created',
    tables: sales,
    change: `
      create table public.sales_3 partition of public.sales for values in (3);
      insert into public.sales select 3, generate_series(1, 5);
    `,
    after: [{ sales: 12, sales_1: 3, sales_2: 4, sales_3: 5 }],
  },
  {
    what: 'a table is attached as a partition',
    tables: `${sales} create table public.late as select 3 as region, generate_series(1, 5)::bigint as id;`,
    change: 'alter table public.sales attach partition public.late for values in (3)',
    after: [{ late: 5, sales: 12, sales_1: 3, sales_2: 4 }],
    asOfSnapshot: [{ late: 5, sales: 7, sales_1: 3, sales_2: 4 }],
  },
  {
    what: 'a partition is detached',
    tables: sales,
    change: 'alter table public.sales detach partition public.sales_2',
    after: [{ sales: 3, sales_1: 3, sales_2: 4 }],
    asOfSnapshot: [{ sales: 7, sales_1: 3, sales_2: 4 }],
  },
  {
    what: 'a partition is dropped',
    tables: sales,
    change: 'drop table public.sales_2',
    after: [{ sales: 3, sales_1: 3 }],
    settled: [{ sales: 7, sales_1: 3, sales_2: 4 }],
  },
  {
    what: 'a partition is dropped and created anew',
    tables: sales,
    change: `
      drop table public.sales_2;
      create table public.sales_2 partition of public.sales for values in (2);
      insert into public.sales select 2, generate_series(1, 9);
    `,
    after: [{ sales: 12, sales_1: 3, sales_2: 9 }],
  },
  {
    what: 'a partition takes the place of another one, which is kept under another name',
    tables: sales,
    change: `
      alter table public.sales detach partition public.sales_2;
      alter table public.sales_2 rename to sales_2_old;
      create table public.sales_2 partition of public.sales for values in (2);
      insert into public.sales select 2, generate_series(1, 9);
    `,
    after: [{ sales: 12, sales_1: 3, sales_2: 9, sales_2_old: 4 }],
  },
  {
    what: 'a partitioned table is renamed',
    tables: sales,
    change: 'alter table public.sales rename to turnover',
    after: [
      { sales: 7, sales_1: 3, sales_2: 4 },
      { sales_1: 3, sales_2: 4, turnover: 7 },
    ],
  },
  {
    what: 'a partitioned table and another one exchange their names',
    tables: `${sales} ${late}`,
    change: `
      alter table public.late rename to between;
      alter table public.sales rename to late;
      alter table public.between rename to sales;
    `,
    after: [
      { late: 3, other: 4, sales: 7, sales_1: 3, sales_2: 4 },
      { late: 7, other: 4, sales: 3, sales_1: 3, sales_2: 4 },
    ],
  },
  {
    what: 'a partitioned table is dropped and a plain one created in its place',
    tables: sales,
    change: 'drop table public.sales; create table public.sales as select generate_series(1, 9) as id',
    after: [{ sales: 9 }],
    settled: [{ sales: 9, sales_1: 3, sales_2: 4 }, { sales: 9 }],
  },
  {
    what: 'an inheritance parent gets a child',
    tables: persons,
    change: `
      create table public.editors () inherits (public.persons);
      insert into public.editors select generate_series(1, 5);
    `,
    after: [{ authors: 3, editors: 5, persons: 10 }],
  },
  {
    what: 'an inheritance parent gets a foreign child',
    tables: `${persons} ${files}`,
    change: `create foreign table public.far () inherits (public.persons) server files options (program 'seq 1 5')`,
    after: [{ authors: 3, far: 5, persons: 10 }],
  },
  {
    what: 'a child moves to a schema that is skipped',
    tables: `${persons} create schema skipped;`,
    change: 'alter table public.authors set schema skipped',
    after: [{ authors: 3, persons: 5 }, { persons: 5 }],
  },
  {
    what: 'a partition moves to a schema that is skipped',
    tables: `${sales} create schema skipped;`,
    change: 'alter table public.sales_2 set schema skipped',
    after: [
      { sales: 7, sales_1: 3, sales_2: 4 },
      { sales: 7, sales_1: 3 },
    ],
  },
  {
    what: 'a partition beside a foreign one is dropped and created anew',
    tables: far,
    change: `
      drop table public.far_2;
      create table public.far_2 partition of public.far for values in (2);
      insert into public.far_2 select 2 from generate_series(1, 9);
    `,
    after: [{ far: 14, far_1: 5, far_2: 9 }],
  },
  {
    what: 'a partition beside a foreign one is truncated',
    tables: far,
    change: 'truncate public.far_2',
    after: [{ far: 5, far_1: 5, far_2: 0 }],
    settled: [{ far: 7, far_1: 5, far_2: 2 }],
  },
  {
    what: 'a partitioned table gets a foreign partition',
    tables: `${sales} ${files}`,
    change: `
      create foreign table public.far partition of public.sales default
        server files options (program 'seq -f 3,%g 1 5', format 'csv')
    `,
    after: [{ far: 5, sales: 12, sales_1: 3, sales_2: 4 }],
  },
]

const moments: [Moment, (db: TestDatabase, run_id: string, change: string) => Promise<void>][] = [
  [
    'after it was queued',
    async ({ sql }, run_id, change) => {
      await measure(sql, run_id)
      await sql.unsafe(change)
    },
  ],
  [
    'after the snapshot was taken',
    async (db, run_id, change) => {
      await measure(db.sql, run_id)
      const [holder, session] = [db.connect(), db.connect()]
      await holder.unsafe('begin; select pg_advisory_xact_lock(4711)')
      const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
      const measuring = countQueued(session, run_id)
      await untilItWaits(db.sql, pid)
      await db.sql.unsafe(change)
      await holder`rollback`
      await measuring
    },
  ],
  [
    'after it was counted',
    async ({ sql }, run_id, change) => {
      await measure(sql, run_id)
      await countQueued(sql, run_id)
      await sql.unsafe(change)
    },
  ],
]

for (const [when, changeThen] of moments) {
  for (const { what, tables, change, after, asOfSnapshot = after, settled = asOfSnapshot } of changes) {
    const expected = {
      'after it was queued': after,
      'after the snapshot was taken': asOfSnapshot,
      'after it was counted': settled,
    }[when]
    test.serial(`${what} ${when}: no table is missing, has a false zero, or is there twice`, async (t) => {
      const db = await createDatabase(t)
      await db.sql.unsafe(tables)
      await db.sql.unsafe(gated)
      const run_id = await open(db.sql, ['skipped'])

      await changeThen(db, run_id, change)
      await measureAll(db.sql, run_id)

      const run = await close(db.sql, run_id)
      t.is(run.status, 'SUCCEEDED', run.error_message ?? '')
      const { 'public.gated': itself, ...counts } = await rowCounts(db.sql, run)
      t.is(itself, 10_000)
      const possible = expected.map(inPublic)
      t.true(
        possible.some((one) => JSON.stringify(one) === JSON.stringify(counts)),
        JSON.stringify({ possible, counts }),
      )
      const [{ tables: distinct }] = await db.sql<[{ tables: string }]>`
        select count(distinct table_oid) as tables from nms.table_metrics_measurements where run_id = ${run_id}
      `
      t.is(run.target_count, distinct, 'each table is there once')
    })
  }
}

const inPublic = (counts: Counts) =>
  Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [name.includes('.') ? name : `public.${name}`, count]),
  )

test('the first time, everything is queued, families whole, and the run is online', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`${sales} ${persons} ${far}`)
  const run_id = await open(sql)

  const { header, queue } = await settle(sql, run_id)

  t.like(header, { status: 'RUNNING', is_online: true, target_count: null })
  t.deepEqual(queue, [[1, 8, false]])
  t.deepEqual(await rowCounts(sql, { run_id }), {})
})

test('as long as something is queued, nothing is settled', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`${sales} create table public.large with (fillfactor = 10) as select generate_series(1, 9000) as id;
    analyze;`)
  const run_id = await open(sql)
  await measure(sql, run_id)
  await measure(sql, run_id)
  await sql`create table public.fresh (id int)`

  const { header, queue } = await settle(sql, run_id)

  t.is(header.target_count, null)
  t.deepEqual(queue, [
    [1, 3, false],
    [1, 1, true],
  ])
  t.deepEqual(await rowCounts(sql, { run_id }), { 'public.large': 9000 })
})

test('when all was counted, the run gets its target_count, once', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`${sales} ${persons}`)
  const run_id = await open(sql)
  await measure(sql, run_id)
  await countQueued(sql, run_id)

  const { header } = await settle(sql, run_id)

  t.like(header, { status: 'RUNNING', target_count: '5' })
  const counts = {
    'public.authors': 3,
    'public.persons': 5,
    'public.sales': 7,
    'public.sales_1': 3,
    'public.sales_2': 4,
  }
  t.deepEqual(await rowCounts(sql, { run_id }), counts)
  await sql.unsafe(
    'create table public.fresh (id int); drop table public.sales_2; create table public.sales_2 (id int)',
  )
  t.deepEqual((await settle(sql, run_id)).header, header, 'what comes after that is no part of the run')
  t.deepEqual(await rowCounts(sql, { run_id }), counts)
})

for (const [what, created] of [
  ['a table', 'create table public.fresh_4 (id int)'],
  ['a partition', 'create table public.sales_3 partition of public.sales for values in (3)'],
] as const) {
  test(`whoever keeps creating tables does not keep the run from ending: ${what} after the third look`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql.unsafe(sales)
    const run_id = await open(sql)
    await settle(sql, run_id)
    for (const round of [2, 3]) {
      await countQueued(sql, run_id)
      await sql.unsafe(`create table public.fresh_${round} (id int)`)
      const { header, queue } = await settle(sql, run_id)
      t.is(header.target_count, null)
      t.deepEqual(queue.at(-1), [round, 1, false])
    }
    await countQueued(sql, run_id)
    await sql.unsafe(created)

    const { header } = await settle(sql, run_id)

    t.is(header.target_count, '5')
    t.deepEqual(await rowCounts(sql, { run_id }), {
      'public.fresh_2': 0,
      'public.fresh_3': 0,
      'public.sales': 7,
      'public.sales_1': 3,
      'public.sales_2': 4,
    })
    const run = await close(sql, run_id)
    t.is(run.status, 'SUCCEEDED')
  })
}

test('a table that is replaced again and again is recorded with NM001, not left out', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(late)
  const run_id = await open(sql)
  await measure(sql, run_id)
  for (let round = 1; round <= 4; round++) {
    await sql.unsafe('drop table public.late; create table public.late as select generate_series(1, 9) as id')
    if ((await measure(sql, run_id, '1 min')).is_finished) break
  }
  await measureAll(sql, run_id)

  const run = await close(sql, run_id)

  t.like(run, { status: 'FAILED', target_count: '2' })
  for (const part of ['public.late', 'NM001']) t.true(run.error_message?.includes(part), part)
  t.deepEqual(await rowCounts(sql, run), { 'public.late': null, 'public.other': 4 })
})

test('a table that is dropped under the last snapshot is no failure', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`${late} ${gated}`)
  const run_id = await open(db.sql)
  const [holder, session] = [db.connect(), db.connect()]
  await holder.unsafe('begin; select pg_advisory_xact_lock(4711)')
  const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`
  const measuring = session`
    select result.tables_counted
    from nms_private.measure(
      run_id => ${run_id},
      among => array(select found.table_oid from nms_private.find_targets('[]', '[]') as found),
      as_one => false,
      retryable => '{}'
    ) as result
  `.execute()
  await untilItWaits(db.sql, pid)
  await db.sql`drop table public.late`
  await holder`rollback`

  await measuring
  const { header } = await settle(db.sql, run_id)

  t.is(header.target_count, '2')
  t.deepEqual(await rowCounts(db.sql, { run_id }), { 'public.gated': 10_000, 'public.other': 4 })
})

test('sessions that settle at once do it once', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`${sales} ${persons}`)
  const run_id = await open(db.sql)
  const sessions = Array.from({ length: 4 }, () => db.connect())
  const settleAtOnce = () => Promise.all(sessions.map((sql) => settle(sql, run_id)))

  const queues = (await settleAtOnce()).map(({ queue }) => queue)
  await countQueued(db.sql, run_id)
  const headers = (await settleAtOnce()).map(({ header }) => header)

  t.deepEqual(queues, Array(4).fill([[1, 5, false]]))
  t.deepEqual(new Set(headers.map(({ target_count }) => target_count)), new Set(['5']))
  t.is((await close(db.sql, run_id)).status, 'SUCCEEDED')
})
