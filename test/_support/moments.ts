import type { TestDatabase } from './database.ts'
import { eventually } from './eventually.ts'

/** What a run is doing when a fault meets it. */
export type Moment = (typeof moments)[number]
export const moments = ['before the header', 'counting', 'closing'] as const

/** What stands in the way of a run at a moment, as long as a transaction of somebody else has it. */
const obstacles: Record<Moment, string> = {
  'before the header': 'lock table nms.table_metrics_runs in share mode',
  counting: 'select pg_advisory_xact_lock(4711)', // the gate is closed
  closing: 'lock table nms.table_metrics_run_snapshot in share mode',
}

/** How many rows the tables of `prepareShop` have. */
export const shopCounts = {
  'public.gated': 10_000,
  'public.orders': 3,
  'sales.lines': 20,
  'sales.lines_1': 20,
}

/**
 * Makes a few tables, and settings under which a run that nobody works on is abandoned after a second.
 * The first one to be counted has an index whose predicate waits at a gate: the planner of the count
 * calls it, so that a count takes as long as the test likes, and neither waits for a lock nor is in
 * anybody's way.
 */
export async function prepareShop({ sql }: Pick<TestDatabase, 'sql'>): Promise<void> {
  await sql.unsafe(`
    create function public.pass_the_gate() returns boolean language plpgsql immutable as $$
    begin
      while not pg_try_advisory_xact_lock_shared(4711) loop
        perform pg_sleep(0.05);
      end loop;
      return true;
    end $$;
    create table public.gated with (autovacuum_enabled = off) as select generate_series(1, 10000) as id;
    create table public.orders as select generate_series(1, 3) as id;
    create schema sales;
    create table sales.lines (id integer) partition by range (id);
    create table sales.lines_1 partition of sales.lines for values from (0) to (100);
    insert into sales.lines select generate_series(1, 20);
    analyze;
    create index on public.gated (id) where public.pass_the_gate();
    update nms.table_metrics_settings set abandon_after = '1 s';
  `)
}

/** Puts an obstacle in the way of the next run. Taken away at the latest when the test ends. */
export async function holdAt(db: Pick<TestDatabase, 'sql' | 'connect'>, moment: Moment) {
  const holder = db.connect()
  await holder`select set_config(name, '0', false) from pg_settings where name = 'transaction_timeout'`
  await holder`begin`
  await holder.unsafe(obstacles[moment])
  const [{ pid: holderPid }] = await holder<[{ pid: number }]>`select pg_backend_pid() as pid`
  return {
    /** Waits until a run has met the obstacle; the process id of its backend. */
    async reached(): Promise<number> {
      let pid = 0
      await eventually(async () => {
        const [waiting] = await db.sql<{ pid: number }[]>`
            select pid
            from pg_stat_activity
            where
              datname = current_database()
              and (wait_event = 'PgSleep' or ${holderPid} = any (pg_blocking_pids(pid)))
          `
        pid = waiting?.pid ?? 0
        return waiting !== undefined
      }, `a run waits: ${moment}`)
      return pid
    },
    async release(): Promise<void> {
      await holder`rollback`.catch(() => undefined) // the fault may have met this session as well
    },
  }
}

/** True while a backend executes something. */
export async function isBusy({ sql }: Pick<TestDatabase, 'sql'>, pid: number): Promise<boolean> {
  return (await sql`select from pg_stat_activity where pid = ${pid} and state = 'active'`).length > 0
}

/** True once no backend has this process id any more. */
export async function isGone({ sql }: Pick<TestDatabase, 'sql'>, pid: number): Promise<boolean> {
  return (await sql`select from pg_stat_activity where pid = ${pid}`).length === 0
}
