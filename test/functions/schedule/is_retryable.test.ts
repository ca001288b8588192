import test from 'ava'
import { collect, createDatabase, type Sql, type TestDatabase } from '../../_support/database.ts'

const retryHelps = async (sql: Sql, run_id: string) => {
  const [{ helps }] = await sql<[{ helps: boolean | null }]>`
    select nms_private.is_retryable(run_id => ${run_id}) as helps
  `
  return helps
}

/** A FAILED run with a measurement for each of these SQLSTATEs, and one table that was counted. */
async function failedRun({ sql }: TestDatabase, sqlstates: string[]): Promise<string> {
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  await sql`
    insert into nms.table_metrics_measurements (
      run_id, schema_name, table_name, table_oid, table_kind, is_partition,
      row_count, own_row_count, measured_at, error_sqlstate, error_message
    )
    select
      ${run_id}, 'public', 'table ' || place, 0, 'table', false,
      case when sqlstate is null then 1 end,
      case when sqlstate is null then 1 end,
      now(),
      sqlstate,
      'no more' || sqlstate
    from unnest(${[...sqlstates, null]}::text[]) with ordinality as failure (sqlstate, place)
  `
  await sql`select from nms_private.fail_run(run_id => ${run_id}, reason => 'some tables could not be counted')`
  return run_id
}

for (const [helps, ...causes] of [
  [
    true,
    ['55P03'], // locked
    ['NM001'], // changed under every snapshot
    ['NM003'], // gave way
    ['57014'], // canceled, or too late
    ['57P01'],
    ['53100'], // no disk
    ['53200'],
    ['53300'],
    ['40001'],
    ['40P01'], // deadlock
    ['55P03', '57014', 'NM003'],
    [], // stopped, abandoned, no disk for the result
  ],
  [
    false,
    ['42501'], // no privilege
    ['XX001'], // damaged
    ['58P01'],
    ['58030'],
    ['22012'], // a function in an index
    ['P0001'],
    ['55000'],
    ['0A000'],
    ['55P03', '42501'],
  ],
] as [boolean, ...string[][]][]) {
  test(`trying again ${helps ? 'may help' : 'does not help'} after ${causes.map((cause) => cause.join(' with ') || 'no failed table').join(', ')}`, async (t) => {
    const db = await createDatabase(t)
    for (const cause of causes) {
      t.is(await retryHelps(db.sql, await failedRun(db, cause)), helps, cause.join(', '))
    }
  })
}

test('a run that has succeeded or is RUNNING needs no other, and of an unknown one nothing is known', async (t) => {
  const { sql } = await createDatabase(t)
  const { run_id } = await collect(sql)
  const [running] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`

  t.is(await retryHelps(sql, run_id), false)
  t.is(await retryHelps(sql, running.run_id), false)
  t.is(await retryHelps(sql, '4711'), null)
})

test('a table that its counter may not read makes trying again vain', async (t) => {
  const db = await createDatabase(t)
  const owner = await db.createRole()
  await db.sql.unsafe(`
    create table public.secret as select 1 as id;
    grant usage on schema nms, nms_private to ${owner.name};
    grant all on all tables in schema nms, nms_private to ${owner.name};
    alter function nms.collect_table_metrics owner to ${owner.name};
    grant execute on all functions in schema nms, nms_private to ${owner.name};
  `)

  const run = await collect(db.sql)

  t.is(run.status, 'FAILED', 'the table is not readable')
  t.regex(run.error_message ?? '', /42501/)
  t.is(await retryHelps(db.sql, run.run_id), false)
})
