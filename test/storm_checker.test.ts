import test, { type ExecutionContext } from 'ava'
import { type Measurement, type RecordedRun, violationsOf, violationsOfDays } from './_storm/checker.ts'
import { changedHeaders, readDays, readEnded, watchEnds } from './_storm/history.ts'
import { nextOperation } from './_storm/operations.ts'
import { createWorld, expected, readWorld } from './_storm/workload.ts'
import { collect, createDatabase, type Sql } from './_support/database.ts'
import { watchHeaders } from './_support/invariants.ts'
import { randomFrom } from './_support/soak.ts'

async function prepare(t: ExecutionContext): Promise<Sql> {
  const { sql } = await createDatabase(t)
  await createWorld(sql)
  await watchHeaders({ sql })
  await watchEnds(sql)
  return sql
}

/** What a run that has counted right leaves in the history. */
function rightRun(measurements: Measurement[]): RecordedRun {
  const payload: Record<string, Record<string, number>> = {}
  for (const { table, row_count } of measurements) {
    const [schema, name] = table.split('.') as [string, string]
    payload[schema] = { ...payload[schema], [name]: row_count ?? 0 }
  }
  const request = { skip: [], exclude: [], is_online: false }
  return { run_id: '1', status: 'SUCCEEDED', error_message: null, ...request, measurements, payload }
}

const rules = (run: RecordedRun) => [...new Set(violationsOf(run, expected).map(({ rule }) => rule))]

test('nothing is wrong with runs of a calm database, whatever they leave out', async (t) => {
  const sql = await prepare(t)
  await collect(sql)
  await collect(sql, { skip: ['heirs'], exclude: ['parts.orders_11', 'bank.solo_1'] })
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  for (let isFinished = false; !isFinished; ) {
    const [step] = await sql`select is_finished from nms.measure_targets(run_id => ${run_id})`
    isFinished = step?.is_finished
  }
  await sql`select from nms.close_run(run_id => ${run_id})`

  const runs = await readEnded(sql)

  t.deepEqual(
    runs.map(({ status, is_online }) => [status, is_online]),
    [
      ['SUCCEEDED', false],
      ['SUCCEEDED', false],
      ['SUCCEEDED', true],
    ],
  )
  t.deepEqual(
    runs.flatMap((run) => violationsOf(run, expected)),
    [],
  )
  t.deepEqual(violationsOfDays(await readDays(sql)), [])
  t.deepEqual(await changedHeaders(sql), [])
  t.deepEqual(await readEnded(sql), [], 'each is read once')
})

test('the operations keep every sum, and the same seed chooses the same', async (t) => {
  const sql = await prepare(t)
  const [random, again] = [randomFrom(8), randomFrom(8)]
  let committed = 0
  for (let n = 0; n < 300; n++) {
    const operation = nextOperation(random)
    t.deepEqual(nextOperation(again), operation)
    committed += await sql.unsafe(operation.sql).then(
      () => 1,
      () => 0,
    )
  }
  t.true(committed > 100, `${committed} were committed`)
  t.deepEqual(violationsOf(rightRun(await readWorld(sql)), expected), [])
})

let right: Measurement[]
test.serial('the tables as they are made satisfy the checker', async (t) => {
  right = await readWorld(await prepare(t))
  t.deepEqual(rules(rightRun(right)), [])
})

test('a wrong number is found wherever it stands', (t) => {
  for (const { table } of right) {
    const wrong = right.map((measurement) =>
      measurement.table === table
        ? { ...measurement, own_row_count: (measurement.own_row_count ?? 0) + 1 }
        : measurement,
    )
    t.deepEqual(rules(rightRun(wrong)), ['a sum'], `one row too many in ${table}`)
  }
  for (const { name, tables } of expected.sums) {
    if (!tables.includes(name)) continue
    const wrong = right.map((measurement) =>
      measurement.table === name ? { ...measurement, row_count: 1 } : measurement,
    )
    const found = rules({ ...rightRun(wrong), is_online: true })
    t.deepEqual(found, ['the sum of a family'], name)
  }
})

const tamperings: Record<string, (run: RecordedRun) => Partial<RecordedRun>> = {
  'a table is there unless it was left out': ({ measurements }) =>
    rightRun(measurements.filter(({ table }) => table !== 'heirs.e')),
  'no table is there twice': ({ measurements }) =>
    rightRun([
      ...measurements,
      { ...(measurements[0] as Measurement), table: 'bank.again', own_row_count: 0 },
    ]),
  'a run succeeds only when every table was counted': ({ measurements }) => ({
    measurements: measurements.map((measurement) =>
      measurement.table === 'bank.solo_4' ? { ...measurement, row_count: null } : measurement,
    ),
  }),
  'the JSON of a run equals its measurements': ({ payload }) => ({
    payload: { ...payload, bank: { ...payload?.bank, solo_4: 1 } },
  }),
  'a run ends': () => ({ status: 'RUNNING', error_message: 'none', payload: null }),
  'a failed run has a reason': () => ({ status: 'FAILED', payload: null }),
  'a failed run has no JSON': () => ({ status: 'FAILED', error_message: 'stopped' }),
  'a run fails because of what others do': () => ({
    status: 'FAILED',
    error_message: 'duplicate key value violates unique constraint (23505)',
    payload: null,
  }),
}

for (const [rule, tamper] of Object.entries(tamperings)) {
  test(`found: ${rule}`, (t) => {
    const run = rightRun(right)
    t.true(rules({ ...run, ...tamper(run) }).includes(rule))
    t.false(rules(run).includes(rule))
  })
}

test('a day with the JSON of another run, or of none, is found', (t) => {
  const day = { snapshot_date: '2026-11-20', run_id: '2', payload: {}, last_run_id: '2', last_payload: {} }
  t.deepEqual(violationsOfDays([day]), [])
  for (const wrong of [{ run_id: '1' }, { payload: { bank: { solo_1: 1 } } }, { last_payload: null }]) {
    t.is(violationsOfDays([{ ...day, ...wrong }]).length, 1)
  }
})
