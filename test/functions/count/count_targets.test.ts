import test from 'ava'
import { createDatabase, rowCounts } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'

test('a run whose only snapshot is older than the end of a table does not succeed without its rows', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql.unsafe(`
    create table public.kept as select generate_series(1, 3) as id;
    create table public.dropped as select generate_series(4, 5) as id;
  `)
  const collector = connect()
  await collector.unsafe('begin isolation level repeatable read; select from pg_class')
  await sql.begin(async (transaction) => {
    await transaction`insert into public.kept select id from public.dropped`
    await transaction`drop table public.dropped`
  })

  const [run] = await collector`select status, error_message from nms.collect_table_metrics()`

  t.is(run?.status, 'FAILED')
  t.regex(run?.error_message, /NM001/)
})

// Small tables are counted several in a statement, the newest first: a.t and b.t in the second one. Planning it waits
// at gate 2, after the names have been resolved; planning the first one at gate 1.
const twoGates = `
  create function public.gate(key integer) returns boolean language plpgsql immutable
  set lock_timeout = '1 min'
  as $$ begin perform pg_advisory_xact_lock_shared(key); return true; end $$;
  create schema a create table t (id integer);
  create schema b create table t (id integer);
  insert into a.t select generate_series(1, 3);
  insert into b.t select generate_series(1, 5);
  analyze a.t, b.t;
  create index on a.t (id) where public.gate(2);
  create index on b.t (id) where public.gate(2);
  do $$ begin
    for n in 1..14 loop
      execute format('create table public.t%s as select 1 as id', n);
      execute format('analyze public.t%s', n);
    end loop;
  end $$;
  create table public.first as select 1 as id;
  analyze public.first;
  create index on public.first (id) where public.gate(1);
`
const broken = `
  create function public.fail() returns boolean language plpgsql immutable as $$ begin return true; end $$;
  create table public.broken (id integer);
  create index on public.broken (id) where public.fail();
  create or replace function public.fail() returns boolean language plpgsql immutable
  as $$ begin raise division_by_zero; end $$;
`
const swapNames = `
  alter schema a rename to c;
  alter schema b rename to a;
  alter schema c rename to b;
`
const modes: Record<string, { begin?: string; call: string; status: string }> = {
  'in one call': { call: 'select from nms.collect_table_metrics()', status: 'SUCCEEDED' },
  online: {
    begin: 'select from nms.measure_targets(nms.open_run())',
    call: 'select from nms.measure_targets(1); select from nms.measure_targets(1); select from nms.close_run(1)',
    status: 'SUCCEEDED',
  },
  'in a caller’s only snapshot': {
    begin: 'begin isolation level repeatable read',
    call: 'select from nms.collect_table_metrics(); commit',
    status: 'FAILED',
  },
}

for (const [mode, { begin = 'select 1', call, status }] of Object.entries(modes)) {
  test(`two schemas that swap their names, and swap them back, have no wrong count: ${mode}`, async (t) => {
    const { sql, connect } = await createDatabase(t)
    await sql.unsafe(twoGates)
    if (status === 'FAILED') await sql.unsafe(broken)
    const gates = [connect(), connect()] as const
    for (const [n, gate] of gates.entries()) await gate`select pg_advisory_lock(${n + 1}::bigint)`
    const waitsAt = (gate: number) =>
      eventually(async () => {
        const waiting = await sql`
          select
          from pg_locks as wanted
          join pg_database as place on place.oid = wanted.database and place.datname = current_database()
          where wanted.locktype = 'advisory' and wanted.objid = ${gate} and not wanted.granted
        `
        return waiting.length > 0
      }, `it waits at gate ${gate}`)
    const collector = connect()
    await collector.unsafe(begin)

    const counting = collector.unsafe(call).execute()
    await waitsAt(1)
    await sql.unsafe(swapNames)
    await gates[0].unsafe('select pg_advisory_unlock_all()')
    await waitsAt(2)
    await sql.unsafe(swapNames)
    await gates[1].unsafe('select pg_advisory_unlock_all()')
    await counting

    const [run] = await sql`select run_id, status, error_message from nms.table_metrics_runs`
    t.is(run?.status, status)
    const counts = await rowCounts(sql, run as never)
    const expected = status === 'SUCCEEDED' ? [3, 5] : [null, null]
    t.deepEqual([counts['a.t'], counts['b.t']], expected)
    if (status === 'SUCCEEDED') return
    t.regex(run?.error_message, /NM001/)
    const [other] =
      await sql`select error_sqlstate from nms.table_metrics_measurements where table_name = 'broken'`
    t.is(other?.error_sqlstate, '22012', 'what failed by itself says why')
  })
}
