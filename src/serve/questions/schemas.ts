/** A JSON Schema, of the dialect of OpenAPI 3.1. */
export type Schema = Record<string, unknown>

/** Number of rows: every digit that the server has written. */
const count = { $ref: '#/components/schemas/Count' }
const countOrNull = { $ref: '#/components/schemas/CountOrNull' }
const text = { type: 'string' }
const textOrNull = { type: ['string', 'null'] }
const flag = { type: 'boolean' }
const number = { type: 'number' }
const numberOrNull = { type: ['number', 'null'] }
const id = { type: 'integer', format: 'int64' }
const idOrNull = { type: ['integer', 'null'], format: 'int64' }
const date = { type: 'string', format: 'date' }
const dateOrNull = { type: ['string', 'null'], format: 'date' }
const time = { type: 'string', format: 'date-time' }
const timeOrNull = { type: ['string', 'null'], format: 'date-time' }
const texts = { type: 'array', items: text }
const status = { enum: ['RUNNING', 'SUCCEEDED', 'FAILED'] }

const object = (properties: Record<string, Schema>, required = Object.keys(properties)): Schema => ({
  type: 'object',
  properties,
  required,
})
const list = (items: Schema): Schema => ({ type: 'array', items })

const payload = {
  anyOf: [{ $ref: '#/components/schemas/Payload' }, { $ref: '#/components/schemas/Payload2' }],
}
const run = { $ref: '#/components/schemas/Run' }
const method = { enum: ['exact', 'carried', 'maintained', 'estimate', 'imported'] }
const methodOrNull = { enum: [...method.enum, null] }
const counts = { type: 'object', additionalProperties: countOrNull }
const change = { change: countOrNull, change_percent: numberOrNull }
const table = { schema_name: text, table_name: text }
const named = { schema_name: textOrNull, table_name: textOrNull }

const header = {
  run_id: id,
  snapshot_date: date,
  status,
  collected_at: time,
  finished_at: timeOrNull,
  error_message: textOrNull,
  target_count: idOrNull,
  left_out_count: idOrNull,
  skip_schemas: { type: 'array' },
  exclude_tables: { type: 'array' },
  machinery_schemas: texts,
  unmatched_entries: { type: 'array' },
  is_online: flag,
  is_imported: flag,
  requested_by: textOrNull,
  scheduled_for: timeOrNull,
}

const grown = { ...table, before: countOrNull, after: count, ...change, method: text }

const alert = {
  kind: text,
  ...named,
  filter_name: textOrNull,
  detail: text,
  acknowledged_at: timeOrNull,
  acknowledged_by: textOrNull,
  acknowledgement: textOrNull,
}

/** What the answers of several questions are made of, by name. */
export const components: Record<string, Schema> = {
  Count: {
    type: 'integer',
    format: 'int64',
    description:
      'Number of rows: a JSON integer with all its digits. Above 2^53, which is 9007199254740992, a reader that turns it into a floating-point number, as JSON.parse of JavaScript does, rounds it: read it as an integer of 64 bits, or from its text.',
  },
  CountOrNull: {
    type: ['integer', 'null'],
    format: 'int64',
    description: 'As Count; null where nothing was counted, which is not zero.',
  },
  Payload: {
    type: 'object',
    description: 'Version 1: {schema: {table: count}}.',
    additionalProperties: { type: 'object', additionalProperties: countOrNull },
  },
  Payload2: {
    type: 'object',
    description:
      'Version 2: {"_version": 2, schema: {table: {…}}}. What is not there was not measured. A schema whose name is _version, with any number of underscores, has one underscore more.',
    properties: { _version: { const: 2 } },
    required: ['_version'],
    additionalProperties: {
      type: 'object',
      additionalProperties: object(
        {
          count,
          method,
          low: count,
          high: count,
          from_run: id,
          bytes: id,
          table_bytes: id,
          index_bytes: id,
          dead_rows: id,
          frozen_age: id,
          filtered: counts,
        },
        ['count', 'method'],
      ),
    },
  },
  Run: object(header),
  Problem: {
    ...object({ title: text, status: { type: 'integer' }, detail: text, hint: text }, [
      'title',
      'status',
      'detail',
    ]),
    description: 'RFC 9457. detail says what was seen and what is expected.',
  },
}
const trendSummary = {
  days_found: id,
  first_date: dateOrNull,
  last_date: dateOrNull,
  lowest: countOrNull,
  lowest_date: dateOrNull,
  highest: countOrNull,
  highest_date: dateOrNull,
  ...change,
}

/** What each question answers. */
export const schemas = {
  day: object({ run_id: id, snapshot_date: date, collected_at: time, payload }),
  run: object({
    run_id: id,
    snapshot_date: date,
    collected_at: time,
    status,
    finished_at: timeOrNull,
    error_message: textOrNull,
    payload: { anyOf: [...payload.anyOf, { type: 'null' }] },
  }),
  days: object({
    days: list(
      object(
        {
          snapshot_date: date,
          run_id: id,
          collected_at: time,
          is_imported: flag,
          tables: id,
          rows: countOrNull,
          estimated_rows: { ...count, description: 'Of rows, those that are estimates; absent without any.' },
          ...change,
          tables_left_out: idOrNull,
        },
        [
          'snapshot_date',
          'run_id',
          'collected_at',
          'is_imported',
          'tables',
          'rows',
          'change',
          'change_percent',
          'tables_left_out',
        ],
      ),
    ),
    next: dateOrNull,
  }),
  runs: object({
    runs: list(
      object({
        ...header,
        seconds: number,
        totals: object(
          {
            tables: idOrNull,
            rows: countOrNull,
            estimated_rows: count,
            carried_tables: id,
            total_bytes: id,
          },
          ['tables', 'rows'],
        ),
      }),
    ),
    next: idOrNull,
  }),
  trend: object({
    ...table,
    filter_name: textOrNull,
    days: list(
      object(
        {
          snapshot_date: date,
          row_count: countOrNull,
          ...change,
          run_id: id,
          method: textOrNull,
          row_count_low: countOrNull,
          row_count_high: countOrNull,
          carried_from_run: idOrNull,
          total_bytes: countOrNull,
          filtered: counts,
        },
        ['snapshot_date', 'row_count', 'change', 'change_percent', 'run_id', 'method'],
      ),
    ),
    summary: object(
      {
        ...trendSummary,
        days_left_out: id,
        first_rows: countOrNull,
        last_rows: countOrNull,
        last_date_with_result: dateOrNull,
        days_needed: idOrNull,
      },
      ['days_found', 'days_left_out', 'first_rows', 'last_rows', 'change', 'change_percent'],
    ),
    summary_of_bytes: {
      anyOf: [object({ ...trendSummary, first_bytes: count, last_bytes: count }), { type: 'null' }],
    },
    alerts: list(
      object({
        ...alert,
        alert_id: id,
        row_count: countOrNull,
        expected_low: countOrNull,
        expected_high: countOrNull,
        opened_at: time,
        opened_by_run: idOrNull,
        snapshot_date: date,
        closed_at: timeOrNull,
        closed_by_run: idOrNull,
        closed_date: dateOrNull,
      }),
    ),
  }),
  growth: object({
    by: { enum: ['day', 'week', 'month'] },
    ...named,
    periods: list(
      object({
        period_start: date,
        snapshot_date: date,
        run_id: id,
        tables: idOrNull,
        rows: countOrNull,
        ...change,
        per_day: numberOrNull,
        tables_left_out: idOrNull,
        method: textOrNull,
        estimated_rows: countOrNull,
        bytes: countOrNull,
        bytes_change: countOrNull,
        bytes_per_day: numberOrNull,
        tables_without_bytes: idOrNull,
      }),
    ),
    summary: object(
      {
        periods_found: id,
        periods_left_out: id,
        first_date: dateOrNull,
        first_rows: countOrNull,
        last_date: dateOrNull,
        last_rows: countOrNull,
        ...change,
        per_day: numberOrNull,
        tables_left_out: idOrNull,
        last_date_with_result: dateOrNull,
        bytes: {
          ...object({
            first_date: date,
            first_bytes: count,
            last_date: date,
            last_bytes: count,
            change: countOrNull,
            per_day: numberOrNull,
          }),
          type: ['object', 'null'],
        },
      },
      [
        'periods_found',
        'periods_left_out',
        'first_rows',
        'last_rows',
        'change',
        'change_percent',
        'per_day',
        'bytes',
      ],
    ),
    fastest: {
      ...object({ rows: list(object({ ...grown, rows: list(countOrNull) })), bytes: list(object(grown)) }),
      type: ['object', 'null'],
    },
    schemas: {
      ...list(object({ schema_name: text, rows: list(countOrNull), ...change, is_estimated: flag })),
      type: ['array', 'null'],
    },
  }),
  comparison: object({
    before: run,
    after: run,
    change: count,
    is_change_estimated: flag,
    outcomes: { type: 'object', additionalProperties: id },
    tables_in_all: id,
    tables_chosen: id,
    tables: list(
      object(
        {
          ...table,
          table_kind: textOrNull,
          is_partition: { type: ['boolean', 'null'] },
          outcome: text,
          rows_before: countOrNull,
          rows_after: countOrNull,
          ...change,
          own_change: countOrNull,
          method_before: methodOrNull,
          method_after: methodOrNull,
          rows_before_low: countOrNull,
          rows_before_high: countOrNull,
          rows_after_low: countOrNull,
          rows_after_high: countOrNull,
        },
        [
          'schema_name',
          'table_name',
          'outcome',
          'rows_before',
          'rows_after',
          'method_before',
          'method_after',
        ],
      ),
    ),
    fail_on: textOrNull,
    failing: texts,
    verdict: { enum: ['passed', 'failed', null] },
    filters: list(
      object({
        ...table,
        filter_name: text,
        rows_before: countOrNull,
        rows_after: countOrNull,
        ...change,
      }),
    ),
  }),
  alerts: object({
    business_time_zone: text,
    open: list(object({ ...alert, alert_id: idOrNull, since: time })),
    // Many of one kind as one, which has the number of none.
    groups: list(
      object({ ...alert, alert_id: idOrNull, run_id: idOrNull, since: time, alerts: id, tables: list(text) }),
    ),
    history: {
      ...list(
        object({
          ...alert,
          alert_id: id,
          opened_at: time,
          closed_at: timeOrNull,
          is_silenced: flag,
          silenced_until: dateOrNull,
        }),
      ),
      type: ['array', 'null'],
    },
    next: idOrNull,
  }),
  tables: object({
    run_id: idOrNull,
    snapshot_date: dateOrNull,
    previous_date: dateOrNull,
    tables: list(
      object(
        {
          ...table,
          table_kind: text,
          is_partition: flag,
          row_count: countOrNull,
          own_row_count: countOrNull,
          method,
          ...change,
          previous_method: method,
          row_count_low: count,
          row_count_high: count,
          carried_from_run: id,
          total_bytes: id,
          filtered: counts,
        },
        [
          'schema_name',
          'table_name',
          'table_kind',
          'is_partition',
          'row_count',
          'own_row_count',
          'method',
          'change',
          'change_percent',
        ],
      ),
    ),
    next: textOrNull,
  }),
} satisfies Record<string, Schema>
