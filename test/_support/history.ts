import type { ExecutionContext } from 'ava'
import { createDatabase, type Sql, type TestDatabase } from './database.ts'

/** A count, and how it was found. */
export interface Found {
  rows: number | string | null
  /** Rows stored in the table itself: all of them unless given. */
  own?: number
  method?: 'exact' | 'carried' | 'maintained' | 'estimate' | 'imported'
  low?: number
  high?: number
  from?: number
  /** Of the table, of its indexes, and both without partitions and children: the sum unless given. */
  bytes?: { table: number; index: number; own?: number }
  dead?: number
  age?: number
  /** Rows that match a filter, by its name. */
  filtered?: Record<string, number>
}

/** A run of the past, as the collector would have left it. Its alerts are not recorded. */
export interface PastRun {
  /** Days after day zero. */
  day: number
  /** When it ended, by the business clock: `06:00` unless given. */
  at?: string
  status?: 'SUCCEEDED' | 'FAILED' | 'RUNNING'
  error?: string
  /** `{'schema.table': rows}`; null where a table was not counted. */
  counts?: Record<string, number | string | null | Found>
  /** Which of the tables are partitions. */
  partitions?: string[]
  /** OIDs of tables, where they matter. */
  oids?: Record<string, number>
  skip?: string[]
  exclude?: string[]
  recorded?: boolean
  /** What the settings left out; those of now unless given. */
  machinery?: string[]
}

/** Monday, 5 January 2026. */
const monday = '2026-01-05'

/** Writes runs in this order, from day zero on, and returns the run_id of the last one. */
export async function writeRuns(sql: Sql, runs: PastRun[], dayZero = monday): Promise<string> {
  const given = runs.map(({ counts = {}, partitions = [], oids = {}, ...run }) => ({
    ...run,
    tables: Object.entries(counts).map(([name, rows]) => ({
      schema: name.slice(0, name.indexOf('.')),
      table: name.slice(name.indexOf('.') + 1),
      ...(typeof rows === 'object' && rows !== null ? rows : { rows }),
      oid: oids[name] ?? null,
      partition: partitions.includes(name),
    })),
  }))
  const [{ last }] = await sql<[{ last: string }]>`
    with given as (
      select
        coalesce((select max(run_id) from nms.table_metrics_runs), 0) + place as run_id,
        run.*,
        ${dayZero}::date + run.day as snapshot_date,
        (${dayZero}::date + run.day + coalesce(run.at, '06:00')) at time zone 'America/New_York' as ended,
        coalesce(run.status, 'SUCCEEDED') as ending
      from jsonb_array_elements(${sql.json(given as never)}) with ordinality as element (value, place)
      cross join jsonb_to_record(value) as run (
        day integer, at interval, status text, error text, skip jsonb, exclude jsonb, recorded boolean, tables jsonb,
        machinery text[]
      )
    ),
    run as (
      insert into nms.table_metrics_runs (
        run_id, snapshot_date, collected_at, finished_at, status, error_message,
        skip_schemas, exclude_tables, is_imported, target_count, machinery_schemas
      )
      overriding system value
      select
        run_id, snapshot_date, ended - interval '1 min', case when ending <> 'RUNNING' then ended end, ending,
        case when ending = 'FAILED' then coalesce(error, 'lost its way') end,
        coalesce(skip, '[]'), coalesce(exclude, '[]'), coalesce(recorded, false), jsonb_array_length(tables),
        coalesce(machinery, (select machinery_schemas from nms.table_metrics_settings))
      from given
      returning run_id
    ),
    measurement as (
      insert into nms.table_metrics_measurements (
        run_id, schema_name, table_name, row_count, own_row_count, measured_at, table_kind, is_partition,
        table_oid, error_sqlstate, error_message, method, row_count_low, row_count_high, carried_from_run,
        total_bytes, table_bytes, index_bytes, own_total_bytes, dead_rows, frozen_age
      )
      select
        run_id, "schema", "table", rows, coalesce(own, rows), ended, 'table', "partition",
        coalesce(oid, hashtext("schema" || '.' || "table")::bigint & 2147483647)::oid,
        case when rows is null then '42501' end, case when rows is null then 'permission denied' end,
        coalesce(method, 'exact'), low, high, "from",
        (bytes ->> 'table')::bigint + (bytes ->> 'index')::bigint, (bytes ->> 'table')::bigint,
        (bytes ->> 'index')::bigint,
        coalesce((bytes ->> 'own')::bigint, (bytes ->> 'table')::bigint + (bytes ->> 'index')::bigint), dead, age
      from given
      cross join jsonb_to_recordset(tables) as measured (
        "schema" text, "table" text, rows bigint, own bigint, oid bigint, "partition" boolean, method text,
        low bigint, high bigint, "from" bigint, bytes jsonb, dead bigint, age bigint
      )
    ),
    filtered_count as (
      insert into nms.table_metrics_filtered_counts (
        run_id, schema_name, table_name, filter_name, row_count, measured_at, table_oid
      )
      select run_id, "schema", "table", matching.key, matching.value::bigint, ended, 1
      from given
      cross join jsonb_to_recordset(tables) as measured ("schema" text, "table" text, filtered jsonb)
      cross join lateral jsonb_each_text(filtered) as matching
    )
    select setval(pg_get_serial_sequence('nms.table_metrics_runs', 'run_id'), max(run_id))::text as last from run
  `
  return last
}

/** One run a day at 6 o'clock that counts public.orders. */
export const daily = (counts: (number | null)[]): PastRun[] =>
  counts.map((orders, day) => ({
    day,
    counts: { 'public.orders': orders },
    status: orders === null ? 'FAILED' : 'SUCCEEDED',
  }))

/**
 * Writes a run of a past day and closes it, as the collector would have: SUCCEEDED when everything was counted.
 * Returns its run_id.
 */
export async function writeRun(sql: Sql, day: string, counts: Required<PastRun>['counts']): Promise<string> {
  const run_id = await writeRuns(sql, [{ day: 0, at: '12:00', status: 'RUNNING', counts }], day)
  await sql`select nms.close_run(${run_id})`
  return run_id
}

type Payload = Record<string, Record<string, number | string>>

/** A database with counts for business days: `{0: counts of today, 2: of the day before yesterday}`. */
export async function createHistory(
  t: ExecutionContext,
  days: Record<number, Payload>,
  create: (t: ExecutionContext) => Promise<TestDatabase> = createDatabase,
): Promise<TestDatabase> {
  const db = await create(t)
  for (const ago of Object.keys(days)
    .map(Number)
    .sort((one, other) => other - one)) {
    // As text: a JavaScript number would round what is beyond 2^53.
    const payload = JSON.stringify(days[ago]).replaceAll(/"(\d+)"([,}])/g, '$1$2')
    await db.sql`select from nms.import_run(${await daysAgo(db.sql, ago)}::date, ${payload}::text::jsonb)`
  }
  return db
}

/** A day of the business calendar, so many days ago: `2026-11-20`. */
export async function daysAgo(sql: Sql, days: number): Promise<string> {
  const [{ day }] = await sql<[{ day: string }]>`select (nms.business_date() - ${days}::integer)::text as day`
  return day
}
