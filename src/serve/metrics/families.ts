/** What `nms.metrics_report` says; each number as text, as the server wrote it. */
export interface MetricsReport {
  datname: string
  database_rows: string | null
  /** Of the rows. */
  database_estimated_rows: string | null
  database_size_bytes: string | null
  database_tables: string | null
  database_tables_by_method: Record<string, string>
  schema_rows: { schemaname: string; rows: string }[]
  table_rows: {
    schemaname: string
    relname: string
    rows: string
    /** Only of an estimate. */
    rows_low?: string
    rows_high?: string
    /** Only where it was measured. */
    size_bytes?: string
  }[]
  listed_tables_missing: string[]
  open_alerts: Record<string, string>
  last_success_timestamp_seconds: string | null
  last_run_timestamp_seconds: string | null
  last_run_duration_seconds: string | null
  last_run_succeeded: boolean | null
  last_run_tables_not_counted: string | null
  next_due_timestamp_seconds: string | null
  overdue_results: string | null
}

export interface Sample {
  labels: Record<string, string>
  value: string
}

/** One metric, a gauge. It is not shown while it has no sample. */
export interface Family {
  name: string
  /** Without a backslash, a quote or a line's end: what escapes them is another in each format. */
  help: string
  /** The last part of the name, where that is a unit. */
  unit?: string
  samples(report: MetricsReport): Sample[]
}

/** More schemas than that have no series of their own: a choice among them would make new ones whenever it changes. */
export const mostSchemas = 1000

const asFloat = 'Prometheus keeps it as a float, exact up to 2^53.'

export const families: Family[] = [
  {
    name: 'nms_database_rows',
    help: `Rows of all tables in the last result, each counted once. ${asFloat}`,
    unit: 'rows',
    samples: whole((report) => report.database_rows),
  },
  {
    name: 'nms_database_estimated_rows',
    help: `Those of nms_database_rows that are estimated; 0 when each was counted. ${asFloat}`,
    unit: 'rows',
    samples: whole((report) => report.database_estimated_rows),
  },
  {
    name: 'nms_database_size_bytes',
    help: 'Bytes on disk of all tables with their indexes, each counted once, as the last result has measured them; absent when it has not.',
    unit: 'bytes',
    samples: whole((report) => report.database_size_bytes),
  },
  {
    name: 'nms_database_tables',
    help: 'Tables in the last result.',
    unit: 'tables',
    samples: whole((report) => report.database_tables),
  },
  {
    name: 'nms_database_tables_by_method',
    help: 'The same by how their rows were found: exact, carried, maintained, estimate or imported.',
    samples: ({ datname, database_tables_by_method }) =>
      Object.entries(database_tables_by_method)
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([method, value]) => ({ labels: { datname, method }, value })),
  },
  {
    name: 'nms_schema_rows',
    help: `Rows of the tables of a schema in the last result, each counted once; absent with more than ${mostSchemas} schemas. ${asFloat}`,
    unit: 'rows',
    samples: ({ datname, schema_rows }) =>
      schema_rows.length > mostSchemas
        ? []
        : schema_rows.map(({ schemaname, rows }) => ({ labels: { datname, schemaname }, value: rows })),
  },
  {
    name: 'nms_table_rows',
    help: `Rows of a listed table in the last result, those of partitions and children included; absent when it was not counted. An estimate where it has nms_table_low_rows and nms_table_high_rows. ${asFloat}`,
    unit: 'rows',
    samples: listed(({ rows }) => rows),
  },
  {
    name: 'nms_table_low_rows',
    help: 'With 99 % confidence a listed table has at least so many rows; absent unless it was estimated.',
    unit: 'rows',
    samples: listed(({ rows_low }) => rows_low),
  },
  {
    name: 'nms_table_high_rows',
    help: 'With 99 % confidence a listed table has at most so many rows; absent unless it was estimated.',
    unit: 'rows',
    samples: listed(({ rows_high }) => rows_high),
  },
  {
    name: 'nms_table_size_bytes',
    help: 'Bytes on disk of a listed table with its indexes, those of partitions and children included; absent when they were not measured.',
    unit: 'bytes',
    samples: listed(({ size_bytes }) => size_bytes),
  },
  {
    name: 'nms_listed_table_missing',
    help: '1 for a name in the list of tables that the last result does not have: misspelled, dropped or left out.',
    samples: ({ datname, listed_tables_missing }) =>
      listed_tables_missing.map((listed) => ({ labels: { datname, listed }, value: '1' })),
  },
  {
    name: 'nms_open_alerts',
    help: 'Alerts that are open, by kind: rows of nms.table_metrics_alerts.',
    samples: ({ datname, open_alerts }) =>
      Object.entries(open_alerts)
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([kind, value]) => ({ labels: { datname, kind }, value })),
  },
  {
    name: 'nms_last_success_timestamp_seconds',
    help: 'When the last run that succeeded ended; 0 for never.',
    unit: 'seconds',
    samples: whole((report) => report.last_success_timestamp_seconds ?? '0'),
  },
  {
    name: 'nms_last_run_timestamp_seconds',
    help: 'When the last run ended, whether it succeeded or not.',
    unit: 'seconds',
    samples: whole((report) => report.last_run_timestamp_seconds),
  },
  {
    name: 'nms_last_run_duration_seconds',
    help: 'How long the last run that ended took.',
    unit: 'seconds',
    samples: whole((report) => report.last_run_duration_seconds),
  },
  {
    name: 'nms_last_run_succeeded',
    help: '1 when the last run that ended succeeded, 0 when it failed.',
    samples: whole(({ last_run_succeeded: succeeded }) =>
      succeeded === null ? null : succeeded ? '1' : '0',
    ),
  },
  {
    name: 'nms_last_run_tables_not_counted',
    help: 'Tables that the last run that ended met and could not count.',
    samples: whole((report) => report.last_run_tables_not_counted),
  },
  {
    name: 'nms_next_due_timestamp_seconds',
    help: 'When the next business day should have its result, by the habit of four weeks.',
    unit: 'seconds',
    samples: whole((report) => report.next_due_timestamp_seconds),
  },
  {
    name: 'nms_overdue_results',
    help: 'Business days since the last success that should have had a result by now.',
    samples: whole((report) => report.overdue_results),
  },
]

/** One sample for each listed table that has such a number. */
function listed(
  value: (table: MetricsReport['table_rows'][number]) => string | undefined,
): Family['samples'] {
  return ({ datname, table_rows }) =>
    table_rows.flatMap((table) => {
      const found = value(table)
      const { schemaname, relname } = table
      return found === undefined ? [] : [{ labels: { datname, schemaname, relname }, value: found }]
    })
}

/** One sample for the whole database. */
function whole(value: (report: MetricsReport) => string | null): Family['samples'] {
  return (report) => {
    const found = value(report)
    return found === null ? [] : [{ labels: { datname: report.datname }, value: found }]
  }
}
