/** How many rows some tables have together, whatever happens: one of these totals. */
export interface Sum {
  name: string
  tables: string[]
  /** row_count has the rows of partitions and heirs, own_row_count has each row once. */
  column: 'row_count' | 'own_row_count'
  totals: number[]
  /** Holds in runs too that have a snapshot for each family. */
  isOneFamily: boolean
}

export interface Expected {
  /** What exists at any time, as `schema.table`. */
  tables: string[]
  sums: Sum[]
}

export interface Measurement {
  table: string
  oid: string
  row_count: number | null
  own_row_count: number | null
}

/** All that the checker knows of a run. */
export interface RecordedRun {
  run_id: string
  status: string
  error_message: string | null
  is_online: boolean
  skip: string[]
  exclude: string[]
  measurements: Measurement[]
  /** The JSON of the run: schemas, tables, counts. */
  payload: Record<string, Record<string, number>> | null
}

export interface Violation {
  run_id: string
  /** What does not hold. */
  rule: string
  of: string
  seen: string
  expected: string
}

/** What must hold of a run that has ended, and does not. */
export function violationsOf(run: RecordedRun, { tables, sums }: Expected): Violation[] {
  const violations: Violation[] = []
  const report = (rule: string, of: string, seen: unknown, expected: unknown) =>
    violations.push({ run_id: run.run_id, rule, of, seen: show(seen), expected: show(expected) })

  if (run.status !== 'SUCCEEDED') {
    if (run.status !== 'FAILED') report('a run ends', 'status', run.status, 'SUCCEEDED or FAILED')
    if (!run.error_message)
      report('a failed run has a reason', 'error_message', run.error_message, 'a reason')
    if (/\((22|23|42|53|P0|XX)\w{3}[,)]/.test(run.error_message ?? '')) {
      report(
        'a run fails because of what others do',
        'error_message',
        run.error_message,
        'none of our own errors',
      )
    }
    if (run.payload !== null) report('a failed run has no JSON', 'payload', run.payload, null)
    return violations
  }

  const isLeftOut = (table: string) =>
    run.exclude.includes(table) || run.skip.includes(table.slice(0, table.indexOf('.')))
  const measured = new Map(run.measurements.map((measurement) => [measurement.table, measurement]))

  for (const table of tables) {
    if (isLeftOut(table) === measured.has(table)) {
      report('a table is there unless it was left out', table, measured.has(table), !isLeftOut(table))
    }
  }
  for (const { table, row_count } of run.measurements) {
    if (row_count === null) report('a run succeeds only when every table was counted', table, null, 'a count')
  }
  for (const [oid, names] of Map.groupBy(run.measurements, (measurement) => measurement.oid)) {
    if (names.length > 1) {
      const seen = names.map(({ table }) => table)
      report('no table is there twice', `the table of oid ${oid}`, seen, 'one name')
    }
  }
  for (const sum of sums) {
    if ((run.is_online && !sum.isOneFamily) || sum.tables.some(isLeftOut)) continue
    const parts = sum.tables.flatMap((table) => measured.get(table) ?? [])
    const total = parts.reduce((rows, part) => rows + (part[sum.column] ?? 0), 0)
    if (!sum.totals.includes(total)) {
      const rule = run.is_online ? 'the sum of a family' : 'a sum'
      report(rule, sum.name, total, sum.totals.join(' or '))
    }
  }
  const counts = Object.fromEntries(run.measurements.map(({ table, row_count }) => [table, row_count]))
  const shown = Object.entries(run.payload ?? {}).flatMap(([schema, entries]) =>
    Object.entries(entries).map(([table, rows]) => [`${schema}.${table}`, rows]),
  )
  if (run.payload === null || show(Object.fromEntries(shown)) !== show(counts)) {
    report('the JSON of a run equals its measurements', 'payload', run.payload, counts)
  }
  return violations
}

/** The run that owns a business day, and the one that should. */
export interface Day {
  snapshot_date: string
  run_id: string
  payload: unknown
  /** The highest run of that day that succeeded. */
  last_run_id: string
  last_payload: unknown
}

export function violationsOfDays(days: Day[]): Violation[] {
  return days
    .filter((day) => day.run_id !== day.last_run_id || show(day.payload) !== show(day.last_payload))
    .map((day) => ({
      run_id: day.last_run_id,
      rule: 'a day has the JSON of its last run',
      of: day.snapshot_date,
      seen: `run ${day.run_id}: ${show(day.payload)}`,
      expected: show(day.last_payload),
    }))
}

/** As JSON with its keys in order: equal things look equal. */
function show(value: unknown): string {
  if (typeof value === 'string') return value
  return JSON.stringify(value, (_, part) =>
    part && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
