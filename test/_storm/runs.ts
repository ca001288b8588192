import postgres from 'postgres'
import { collectTableMetrics } from '../../src/run/collect.ts'
import type { Sql } from '../_support/database.ts'
import { nextOperation, type Random } from './operations.ts'

/** Sessions of the storm's runs go by this name, those of the runner by its own. */
export const runsName = 'storm run'

interface Context {
  url: string
  /** A session for this run only: it may be killed. */
  sql: Sql
  random: Random
  kind: string
  /** Only changes that a crash of the server does not undo. */
  isLasting: boolean
}

interface Maker {
  /** How often it is chosen, compared with the others. */
  weight: number
  run: (context: Context) => Promise<unknown>
  /** Succeeds only when nothing changes in time. */
  isRare?: true
}

/** How a run is asked for. */
const makers: Record<string, Maker> = {
  'one call': { weight: 6, run: ({ sql, kind }) => sql.unsafe(oneCall(kind)) },
  'one call, some left out': {
    weight: 4,
    run: ({ sql, kind, random }) => sql.unsafe(oneCall(kind, someLeftOut(random))),
  },
  'one call, all under the first snapshot': {
    weight: 2,
    isRare: true,
    run: ({ sql, kind }) =>
      sql.unsafe(`begin isolation level repeatable read; select from pg_class; ${oneCall(kind)}; commit`),
  },
  'one call after a change of its own': {
    weight: 3,
    run: async ({ sql, kind, random, isLasting }) => {
      const change = nextOperation(random, isLasting)
      if (change.isAlone) return
      await sql.unsafe(`begin; set local lock_timeout = '200 ms'; ${change.sql}; ${oneCall(kind)}; commit`)
    },
  },
  'one call with a temporary heir': {
    weight: 1,
    run: ({ sql, kind }) =>
      sql.unsafe(`
        begin;
        set local lock_timeout = '200 ms';
        create temporary table of_the_caller () inherits (heirs.c) on commit drop;
        insert into of_the_caller select from generate_series(1, 7);
        ${oneCall(kind)};
        commit;
      `),
  },
  'two steps': {
    weight: 4,
    run: async ({ sql, kind }) => {
      const [run] = await sql.unsafe<[{ run_id: string }]>(`select nms.open_run(${request(kind)}) as run_id`)
      await sql`select from nms.collect_table_metrics(run_id => ${run.run_id})`
    },
  },
  online: { weight: 4, run: (context) => countOnline(context) },
  'online, some left out': { weight: 3, run: (context) => countOnline(context, someLeftOut(context.random)) },
  'online by the runner': {
    weight: 3,
    run: ({ url, kind }) => collectTableMetrics(url, { skip: [kind] }, { online: true, jobs: 2 }),
  },
  scheduled: { weight: 2, run: ({ sql, kind }) => addJob(sql, { skipSchemas: [kind] }) },
  'scheduled online': {
    weight: 2,
    run: ({ sql, kind }) => addJob(sql, { skipSchemas: [kind], online: true, jobs: 2 }),
  },
}

interface LeftOut {
  skip?: string[]
  exclude?: string[]
}

const leftOut: LeftOut[] = [
  { exclude: ['parts.orders_2'] },
  { exclude: ['parts.orders_11', 'heirs.d'] },
  { exclude: ['heirs.b', 'bank.solo_3'] },
  { exclude: ['parts.comer', 'heirs.yz1'] },
  { skip: ['away'] },
  { skip: ['heirs'] },
]
const someLeftOut = (random: Random) => leftOut[Math.floor(random() * leftOut.length)] as LeftOut

/** Those that succeed in any storm. */
export const kindsOfRuns = Object.keys(makers).filter((kind) => !makers[kind]?.isRare)

const wheel = Object.entries(makers).flatMap(([kind, { weight }]) => Array<string>(weight).fill(kind))

/** Asks for a run of some kind. The kind stands in its request, where it matches nothing. */
export async function nextRun(url: string, random: Random, isLasting = false, online = false): Promise<void> {
  const choose = () => wheel[Math.floor(random() * wheel.length)] as string
  let kind = choose()
  while (online && !kind.includes('online')) kind = choose()
  const sql = session(url)
  try {
    await makers[kind]?.run({ url, sql, random, kind, isLasting })
  } finally {
    await sql.end({ timeout: 1 })
  }
}

function session(url: string): Sql {
  return postgres(url, {
    max: 1,
    prepare: false,
    fetch_types: false,
    onnotice: () => undefined,
    connection: { application_name: runsName },
  })
}

const quoted = (entries: string[]) => `'${JSON.stringify(entries)}'`

function request(kind: string, { skip = [], exclude = [] }: LeftOut = {}): string {
  return `skip => ${quoted([kind, ...skip])}, exclude => ${quoted(exclude)}`
}

function oneCall(kind: string, left?: LeftOut): string {
  return `select from nms.collect_table_metrics(${request(kind, left)})`
}

/** Two sessions count, one of them ends the run. */
async function countOnline({ sql, url, kind }: Context, left?: LeftOut): Promise<void> {
  const second = session(url)
  try {
    const [{ run_id }] = await sql.unsafe<[{ run_id: string }]>(
      `select nms.open_run(${request(kind, left)}) as run_id`,
    )
    await Promise.allSettled([measure(sql, run_id), measure(second, run_id)])
    await sql`select from nms.close_run(run_id => ${run_id})`
  } finally {
    await second.end({ timeout: 1 })
  }
}

async function measure(sql: Sql, runId: string): Promise<void> {
  for (let isFinished = false; !isFinished; ) {
    const [step] = await sql<[{ is_finished: boolean }]>`
      select is_finished from nms.measure_targets(run_id => ${runId}, budget => '20 ms')
    `
    isFinished = step.is_finished
  }
}

/** Unless there is work enough for the worker. */
async function addJob(sql: Sql, payload: object): Promise<void> {
  await sql`
    select graphile_worker.add_job(
      'collect_table_metrics', ${JSON.stringify(payload)}::text::json, max_attempts => 1
    )
    where (select count(*) < 2 from graphile_worker.jobs where locked_at is null and attempts < max_attempts)
  `
}
