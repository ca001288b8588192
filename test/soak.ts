// Years of a schedule in minutes: every slot is asked for, while a fault strikes every few seconds. At
// the end each slot must have been served exactly once, and the history must be whole.
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { eventually, hang } from './_support/eventually.ts'
import { expectInvariants, watchHeaders } from './_support/invariants.ts'
import { startOwnServer } from './_support/server.ts'
import { assertingContext, randomFrom } from './_support/soak.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '500' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
  },
})
const slots = Number(values.runs)
const random = randomFrom(Number(values.seed))
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
const crontab = fileURLToPath(new URL('empty_crontab', import.meta.url))

const { t, end }: ReturnType<typeof assertingContext> = assertingContext()
const server = await startOwnServer()
const db = await server.createDatabase(t)
await db.sql.unsafe(`
  create table public.orders as select generate_series(1, 200000) as id;
  create table public.lines (id int) partition by range (id);
  create table public.lines_1 partition of public.lines for values from (0) to (100);
  insert into public.lines select generate_series(1, 20);
  analyze;
  update nms.table_metrics_settings set abandon_after = '1 s', lock_timeout = '2 s';
`)
const counts = { 'public.orders': 200_000, 'public.lines': 20, 'public.lines_1': 20 }
await watchHeaders(db)

const workers = [startWorker(), startWorker()]
const struck = new Map<string, number>()
let isOver = false
const striking = strike()

console.log(`soak: ${slots} slots, seed ${values.seed}`)
const started = Date.now()
for (let slot = 1; slot <= slots; slot++) {
  await ask(slot)
  if (slot % 50 === 0) console.log(`${slot} slots asked for after ${seconds()} s, ${await served()} served`)
}
// What a killed worker has left locked is asked for again, as somebody who replays a job does.
const deadline = Date.now() + hang * 1000
for (let left = await unserved(); left.length > 0; left = await unserved()) {
  if (Date.now() > deadline) throw new Error(`not served within ${hang} s: ${left.join(', ')}`)
  await sleep(2_000)
  for (const slot of await unserved()) await ask(slot)
}
isOver = true
await striking
for (const worker of workers) await worker.stop()
await eventually(async () => (await db.sql`select 1`).length === 1, 'the server is back from the last fault')

const [result] = await db.sql`
  select
    count(*) filter (where status = 'SUCCEEDED' and scheduled_for is not null) as succeeded,
    count(distinct scheduled_for) filter (where status = 'SUCCEEDED') as slots,
    count(*) filter (where status = 'FAILED') as failed
  from nms.table_metrics_runs
`
t.deepEqual([Number(result?.succeeded), Number(result?.slots)], [slots, slots], 'each slot is served once')
await expectInvariants(t, db, counts)
await end()
await server.remove()
const faults = [...struck].map(([name, times]) => `${name} ${times}`).join(', ')
console.log(
  `${slots} slots served once each in ${seconds()} s, ${result?.failed} runs failed on the way; ${faults}`,
)
console.log('1 passed, 0 failed')
process.exit()

/** Each slot has a request of its own: none is served by a run of another one. */
async function ask(slot: number): Promise<void> {
  const ts = new Date(Date.UTC(2000, 0, slot, 5, 15)).toISOString()
  const request = { exclude: [`public.only_in_slot_${slot}`], ...(slot % 2 ? {} : { online: true, jobs: 2 }) }
  await eventually(
    async () => {
      await db.sql`
        select graphile_worker.add_job(
          'collect_table_metrics', ${JSON.stringify({ ...request, _cron: { ts } })}::text::json, max_attempts => 8
        )
      `
      return true
    },
    'a job is added',
    120,
  )
  // About as fast as two workers work.
  await sleep(150)
}

async function unserved(): Promise<number[]> {
  let left: number[] = []
  await eventually(
    async () => {
      const rows = await db.sql<{ slot: number }[]>`
        select slot
        from generate_series(1, ${slots}::integer) as slot
        where not exists (
          select
          from nms.table_metrics_runs as run
          where
            run.status = 'SUCCEEDED'
            and run.scheduled_for = timestamptz '2000-01-01 05:15Z' + (slot - 1) * interval '24 h'
        )
      `
      left = rows.map(({ slot }) => slot)
      return true
    },
    'the slots are looked at',
    120,
  )
  return left
}

async function served(): Promise<number> {
  return slots - (await unserved()).length
}

function seconds(): number {
  return Math.round((Date.now() - started) / 1000)
}

/** A worker that is started again whenever it ends, as a service manager does. */
function startWorker() {
  let child = launch()
  let isWanted = true
  function launch() {
    const process_ = spawn(process.execPath, [cli, 'worker', '--crontab', crontab, '--log', 'json'], {
      env: { PATH: process.env.PATH, DATABASE_URL: db.url },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    process_.once('close', () => {
      if (isWanted) child = launch()
    })
    return process_
  }
  return {
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    async stop() {
      isWanted = false
      child.kill('SIGTERM')
      await eventually(
        async () => child.exitCode !== null || child.signalCode !== null,
        'a worker has stopped',
        15,
      )
    },
  }
}

async function strike(): Promise<void> {
  const theirs = "datname = current_database() and application_name like 'table-metrics%'"
  const faults: Record<string, () => Promise<unknown>> = {
    'SIGTERM to a worker': async () => pick(workers).kill('SIGTERM'),
    'SIGKILL to a worker': async () => pick(workers).kill('SIGKILL'),
    'canceled session': () =>
      db.sql.unsafe(
        `select pg_cancel_backend(pid) from pg_stat_activity where ${theirs} and state = 'active'`,
      ),
    'terminated sessions': () =>
      db.sql.unsafe(`select pg_terminate_backend(pid) from pg_stat_activity where ${theirs}`),
    'killed backend': async () => {
      const [victim] = await db.sql.unsafe<{ pid: number }[]>(
        `select pid from pg_stat_activity where ${theirs} order by random() limit 1`,
      )
      if (victim) process.kill(victim.pid, 'SIGKILL')
    },
    'fast restart': async () => {
      await server.stop('fast')
      await server.start()
    },
    'immediate restart': async () => {
      await server.stop('immediate')
      await server.start()
    },
    'locked table': () =>
      db.sql.begin(async (sql) => {
        await sql`lock table public.orders in access exclusive mode`
        await sleep(1_000)
      }),
    'read-only database': async () => {
      const [{ name }] = (await db.sql`select current_database() as name`) as unknown as [{ name: string }]
      await db.sql.unsafe(`alter database ${name} set default_transaction_read_only = on`)
      await db.sql.unsafe(`select pg_terminate_backend(pid) from pg_stat_activity where ${theirs}`)
      await sleep(1_000)
      await eventually(
        async () => {
          await db.sql.unsafe(
            `set default_transaction_read_only = off; alter database ${name} reset default_transaction_read_only`,
          )
          return true
        },
        'the database is writable again',
        60,
      )
    },
  }
  while (!isOver) {
    await sleep(1_500 + random() * 3_000)
    const name = pick(Object.keys(faults))
    struck.set(name, (struck.get(name) ?? 0) + 1)
    await faults[name]?.().catch(() => undefined) // the session of the fault itself may be hit
  }
}
