import test from 'ava'
import { findAlerts, kinds } from '../../_support/alerts.ts'
import { createDatabase } from '../../_support/database.ts'
import { type PastRun, writeRuns } from '../../_support/history.ts'

const both = { 'public.orders': 5, 'public.lines': 7 }
const three: PastRun[] = [0, 1, 2].map((day) => ({ day, counts: both }))
const alone: PastRun = { day: 3, counts: { 'public.lines': 7 } }
const fresh: PastRun = { day: 3, counts: { ...both, 'public.fresh': 9 } }

const cases: [what: string, alerts: string[], runs: PastRun[]][] = [
  ['a table that is gone', ['table_missing public.orders'], [...three, alone]],
  [
    'a table that is gone since an earlier run of the day',
    ['table_missing public.orders'],
    [{ day: 3, counts: both }, alone],
  ],
  [
    'a table whose schema the request skips',
    [],
    [
      { day: 0, counts: { ...both, 'stage.orders': 5 } },
      { day: 1, counts: both, skip: ['stage'] },
    ],
  ],
  ['a table that the request excludes', [], [...three, { ...alone, exclude: ['public.orders'] }]],
  ['a table that the request excludes quoted', [], [...three, { ...alone, exclude: ['"public"."orders"'] }]],
  [
    'a table that is gone, while the request leaves out others',
    ['table_missing public.orders'],
    [...three, { ...alone, skip: ['orders'], exclude: ['public.order', 'other.orders'] }],
  ],
  [
    'a partition that is gone',
    [],
    [
      ...three.map((run) => ({
        ...run,
        counts: { ...both, 'public.lines_1': 7 },
        partitions: ['public.lines_1'],
      })),
      { day: 3, counts: both },
    ],
  ],
  ['a table that a failed run has not', [], [...three, { ...alone, status: 'FAILED' }]],
  [
    'a table that could not be counted',
    [],
    [...three, { day: 3, counts: { ...both, 'public.orders': null } }],
  ],
  [
    'a table of a schema that has become machinery',
    [],
    [
      ...three.map((run) => ({ ...run, counts: { ...both, 'graphile_worker.jobs': 1 }, machinery: [] })),
      { day: 3, counts: both },
    ],
  ],
  ['a table that few of the last days had', [], [...three, fresh, { day: 4, counts: both }]],
  [
    'a table that the last days have not had',
    [],
    [three[0], alone, { ...alone, day: 4 }, { ...alone, day: 5 }] as PastRun[],
  ],
  ['a table that is back', [], [...three, alone, { day: 4, counts: both }]],

  ['a table that no earlier run has', ['table_new public.fresh'], [...three, fresh]],
  [
    'a table that is new since an earlier run of the day',
    ['table_new public.fresh'],
    [{ day: 3, counts: both }, fresh],
  ],
  [
    'a new table that a failed run has counted',
    ['table_new public.fresh'],
    [...three, { ...fresh, status: 'FAILED' }],
  ],
  [
    'a new table that could not be counted',
    ['table_new public.fresh'],
    [...three, { ...fresh, counts: { ...fresh.counts, 'public.fresh': null } }],
  ],
  ['tables in the first run of all', [], [fresh]],
  ['tables in the first run that succeeds', [], [{ day: 2, status: 'FAILED' }, fresh]],
  ['a table that the run before has', [], [...three, fresh, { ...fresh, day: 4 }]],
  [
    'a table that a run had long ago',
    [],
    [{ ...fresh, day: 0 }, ...three.map((run) => ({ ...run, day: run.day + 10 })), { ...fresh, day: 13 }],
  ],
  [
    'a table whose schema the run before skipped',
    [],
    [
      { day: 2, counts: both, skip: ['stage'] },
      { day: 3, counts: { ...both, 'stage.fresh': 9 } },
    ],
  ],
  ['a table that the run before excluded', [], [{ day: 2, counts: both, exclude: ['public.fresh'] }, fresh]],
  ['a new partition', [], [...three, { ...fresh, partitions: ['public.fresh'] }]],
]
for (const [what, alerts, runs] of cases) {
  test(`${what}: ${alerts.join() || 'nothing'}`, async (t) => {
    const { sql } = await createDatabase(t)

    t.deepEqual(await kinds(sql, await writeRuns(sql, runs)), alerts)
  })
}

test('table_missing says how many rows the table had, table_new how many it has', async (t) => {
  const { sql } = await createDatabase(t)
  const last = await writeRuns(sql, [
    { day: 0, counts: { 'public.orders': 1200 } },
    { day: 1, counts: { 'public.orders': 1500 } },
    { day: 2, counts: { 'Sales.Order Lines': 1234567 } },
  ])

  t.deepEqual(await findAlerts(sql, last), [
    {
      kind: 'table_new',
      schema_name: 'Sales',
      table_name: 'Order Lines',
      row_count: '1234567',
      expected_low: null,
      expected_high: null,
      detail: 'new: it has 1,234,567 rows',
      filter_name: null,
    },
    {
      kind: 'table_missing',
      schema_name: 'public',
      table_name: 'orders',
      row_count: null,
      expected_low: '1200',
      expected_high: '1500',
      detail: 'gone: it had 1,500 rows',
      filter_name: null,
    },
  ])
})

test('a table that was renamed is missing and new, and its new name is told', async (t) => {
  const { sql } = await createDatabase(t)
  const last = await writeRuns(sql, [
    { day: 0, counts: { 'public.orders': 5 }, oids: { 'public.orders': 4711 } },
    { day: 1, counts: { 'public.Old Orders': 5 }, oids: { 'public.Old Orders': 4711 } },
  ])

  const missing = (await findAlerts(sql, last)).find(({ kind }) => kind === 'table_missing')

  t.deepEqual(await kinds(sql, last), ['table_new public.Old Orders', 'table_missing public.orders'])
  t.true(missing?.detail.includes('public."Old Orders"'), missing?.detail)
})

test('a recorded table that no longer exists is not taken for another one of that kind', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`select nms.import_run(nms.business_date() - 2, '{"public": {"orders": 5, "lines": 7}}')`
  const [run] =
    await sql`select run_id from nms.import_run(nms.business_date() - 1, '{"public": {"lines": 7}}')`

  const [missing] = await findAlerts(sql, run?.run_id)

  t.like(missing, { kind: 'table_missing', table_name: 'orders', detail: 'gone: it had 5 rows' })
})
