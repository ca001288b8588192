import test from 'ava'
import { findAlerts, kinds } from '../../_support/alerts.ts'
import { createDatabase } from '../../_support/database.ts'
import { type PastRun, writeRuns } from '../../_support/history.ts'

/** Runs of one day, one after the other: S succeeded, F failed, r recorded. */
const ended = (letters: string): PastRun[] =>
  [...letters].map((letter, minute) => ({
    day: 0,
    at: `06:${String(minute).padStart(2, '0')}`,
    status: letter === 'F' ? 'FAILED' : 'SUCCEEDED',
    counts: letter === 'F' ? {} : { 'public.orders': 5 },
    recorded: letter === 'r',
  }))

for (const [letters, found, what] of [
  ['F', false, 'one failure'],
  ['SFF', false, 'two failures'],
  ['FF', false, 'two failures and nothing else'],
  ['SFFF', true, 'three failures'],
  ['FFF', true, 'three failures and nothing else'],
  ['FFFF', true, 'four failures'],
  ['FFFS', false, 'a success after three failures'],
  ['FFSF', false, 'three failures with a success between them'],
  ['FFFSFF', false, 'two failures since the last success'],
  ['FFrF', true, 'three failures with recorded counts between them'],
] as const) {
  test(`${what}: ${found ? 'repeated_failures' : 'no repeated_failures'}`, async (t) => {
    const { sql } = await createDatabase(t)
    const last = await writeRuns(sql, ended(letters))

    t.deepEqual(await kinds(sql, last), found ? ['repeated_failures'] : [])
  })
}

test('repeated_failures are as many as the rule says, and name the last reason', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`insert into nms.table_metrics_alert_rules (kind, failures_in_a_row) values ('repeated_failures', 2)`
  const last = await writeRuns(sql, [
    { day: 0 },
    { day: 0, status: 'FAILED', error: 'the first reason' },
    { day: 0, status: 'FAILED', error: 'the last reason' },
  ])

  const alerts = (await findAlerts(sql, last)).filter(({ kind }) => kind === 'repeated_failures')

  t.is(alerts.length, 1)
  t.like(alerts[0], { schema_name: null, table_name: null, row_count: null })
  t.regex(alerts[0]?.detail ?? '', /2 .*the last reason/)
})

const tables = { 'public.orders': 5 }
const failed = (day: number, at: string): PastRun => ({ day, at, status: 'FAILED' })
const workdays = (weeks: number): PastRun[] =>
  Array.from({ length: 7 * weeks }, (_, day) => ({ day, counts: tables })).filter(({ day }) => day % 7 < 5)

const missingRuns: [what: string, found: boolean, runs: PastRun[], lateAfter?: string][] = [
  ['before an hour past the usual time', false, [{ day: 0, counts: tables }, failed(1, '06:59')]],
  ['an hour past the usual time', true, [{ day: 0, counts: tables }, failed(1, '07:01')]],
  ['days later', true, [{ day: 0, counts: tables }, failed(5, '00:10')]],
  ['later than late_after', true, [{ day: 0, counts: tables }, failed(1, '06:11')], '10 min'],
  ['before late_after', false, [{ day: 0, counts: tables }, failed(1, '15:59')], '10 hours'],
  ['before any day had a result', false, [failed(0, '07:01'), failed(3, '07:01')]],
  [
    'after a result of the day',
    false,
    [{ day: 0, counts: tables }, { day: 1, counts: tables }, failed(1, '20:00')],
  ],
  [
    'after nothing but recorded counts of the day',
    true,
    [{ day: 0, counts: tables }, { day: 1, counts: tables, recorded: true }, failed(1, '07:01')],
  ],
  [
    'an hour past the usual time, however late counts were recorded',
    true,
    [{ day: 0, counts: tables, recorded: true, at: '23:00' }, { day: 1, counts: tables }, failed(2, '07:01')],
  ],
  [
    'after nothing but recorded counts at all',
    false,
    [{ day: 0, counts: tables, recorded: true }, failed(1, '07:01')],
  ],
  [
    'at a time at which the result has been missing before',
    false,
    [{ day: 0, counts: tables, at: '09:00' }, { day: 1, counts: tables }, failed(2, '09:30')],
  ],
  [
    'of a day whose results come after midnight, an hour later than usual',
    true,
    [{ day: 0, counts: tables, at: '25:00' }, failed(2, '02:01')],
  ],
  [
    'of a day whose results come after midnight, before that',
    false,
    [{ day: 0, counts: tables, at: '25:00' }, failed(2, '01:59')],
  ],
  ['on a Saturday that never has a result', false, [...workdays(3), failed(19, '23:59')]],
  ['on a Sunday that never has a result', false, [...workdays(3), failed(20, '23:59')]],
  ['on the Monday after', true, [...workdays(3), failed(21, '07:01')]],
  ['on a Saturday, after one week', true, [...workdays(1), failed(5, '07:01')]],
]
for (const [what, found, runs, lateAfter] of missingRuns) {
  test(`a run that fails ${what}: ${found ? 'run_late' : 'nothing'}`, async (t) => {
    const { sql } = await createDatabase(t)
    if (lateAfter)
      await sql`insert into nms.table_metrics_alert_rules (kind, late_after) values ('run_late', ${lateAfter}::text::interval)`

    t.deepEqual(await kinds(sql, await writeRuns(sql, runs)), found ? ['run_late'] : [])
  })
}

test('run_late names the day that has no result and the last one that has', async (t) => {
  const { sql } = await createDatabase(t)
  const last = await writeRuns(sql, [{ day: 0, counts: tables }, failed(3, '12:00')])

  t.deepEqual(await findAlerts(sql, last), [
    {
      kind: 'run_late',
      schema_name: null,
      table_name: null,
      row_count: null,
      expected_low: null,
      expected_high: null,
      detail: 'no result for 2026-01-06, the last one is of 2026-01-05',
      filter_name: null,
    },
  ])
})

for (const [what, found, run] of [
  ['a run that finds no table', true, { day: 0 }],
  ['a run that finds a table', false, { day: 0, counts: { 'public.empty': 0 } }],
  ['a run that fails', false, { day: 0, status: 'FAILED' }],
] as const) {
  test(`${what}: ${found ? 'no_tables' : 'nothing'}`, async (t) => {
    const { sql } = await createDatabase(t)

    t.deepEqual(await kinds(sql, await writeRuns(sql, [run])), found ? ['no_tables'] : [])
  })
}
