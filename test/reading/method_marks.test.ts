import test from 'ava'
import {
  describeTotals,
  explainMarks,
  rangeCell,
  rowsCell,
  withColumn,
} from '../../src/reading/method_marks.ts'
import { describeRun } from '../../src/reading/report.ts'

test('a count has the mark of its method; what was counted or imported has none', (t) => {
  t.deepEqual(
    ['exact', 'imported', undefined, 'carried', 'maintained', 'estimate'].map((method) =>
      rowsCell({ row_count: '1234', method }),
    ),
    ['1,234', '1,234', '1,234', 'c 1,234', 'm 1,234', '≈ 1,234'],
  )
  t.is(rowsCell({ row_count: null, method: 'carried' }), '')
})

test('only marks that are there are explained, each once', (t) => {
  t.deepEqual(explainMarks(['exact', 'imported', null, undefined]), [])
  t.deepEqual(
    explainMarks(['estimate', 'carried', 'carried']).map((line) => line.slice(0, 2)),
    ['c:', '≈:'],
  )
})

test('only an estimate has a range, also one that begins at no rows', (t) => {
  const range = { row_count_low: '0', row_count_high: '1270000' }
  t.is(rangeCell({ method: 'estimate', ...range }), '0 to 1,270,000')
  t.is(rangeCell({ method: 'exact', ...range }), '')
})

test('a column that would be empty is not there', (t) => {
  const table: Parameters<typeof withColumn>[0] = [[{ title: 'table' }], [['a'], ['b']]]
  t.deepEqual(withColumn(table, 'range', ['', '']), table)
  t.deepEqual(withColumn(table, 'range', ['', '1 to 2']), [
    [{ title: 'table' }, { title: 'range', right: true }],
    [
      ['a', ''],
      ['b', '1 to 2'],
    ],
  ])
})

test('totals say what of them was not counted', (t) => {
  t.is(describeTotals({ tables: '2', rows: '1000' }), '2 tables, 1,000 rows, each counted once')
  t.is(
    describeTotals({ tables: '3', rows: '1000', carried_tables: '1', estimated_rows: '900' }),
    '3 tables, 1 of them carried, ≈ 1,000 rows, each counted once, of which ≈ 900 are estimated',
  )
})

test('what collect prints has the marks and the range', (t) => {
  const table = {
    schema_name: 's',
    table_kind: 'table',
    is_partition: false,
    error_sqlstate: null,
    outcome: 'grew',
    change_percent: null,
  }
  const lines = describeRun({
    run: {
      run_id: '7',
      status: 'SUCCEEDED',
      snapshot_date: '2026-11-20',
      collected_at: '2026-11-20T06:00:00Z',
      seconds: '1',
      error_message: null,
      unmatched_entries: [],
      left_out_count: null,
    },
    business_time_zone: 'UTC',
    previous_run_id: '6',
    totals: { tables: '2', rows: '1012', estimated_rows: '1000', carried_tables: '1' },
    tables: [
      {
        ...table,
        table_name: 'a',
        row_count: '1000',
        method: 'estimate',
        row_count_low: '900',
        row_count_high: '1100',
        change: '5',
      },
      {
        ...table,
        table_name: 'b',
        row_count: '12',
        method: 'carried',
        change: '2',
        previous_method: 'estimate',
      },
    ],
  })
    .split('\n')
    .map((line) => line.split(/ {2,}/))

  t.deepEqual(lines[2], ['s.a', '≈ 1,000', '≈ +5', '900 to 1,100'])
  t.deepEqual(lines[3], ['s.b', 'c 12', '≈ +2'])
  t.deepEqual(lines[4], ['c: counted in an earlier run, unchanged since'])
  t.regex(lines.at(-1)?.join(' ') ?? '', /≈ 1,012 rows, .*, of which ≈ 1,000 are estimated$/)
})
