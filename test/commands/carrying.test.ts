import ava from 'ava'
import { collect, createDatabase, type Sql } from '../_support/database.ts'
import { tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

/** Runs that have carried and compared, as they would have left it. */
async function writeTrust(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create table public.orders ();
    create table public.items ();
    insert into nms.table_metrics_count_rules (schema_name, method, shadow) values ('*', 'carried', '0');
    insert into nms.table_metrics_count_rules (schema_name, method, since) values ('public', 'carried', now());
  `)
  for (const _ of [1, 2, 3, 4]) await collect(sql)
  await sql.unsafe(`
    truncate nms.table_metrics_comparisons;
    insert into nms.table_metrics_comparisons (run_id, method, is_shadow, comparisons, differences)
    values
      (1, 'carried', false, 700, 0), (2, 'carried', false, 600, 1), (3, 'carried', false, 14000, 0),
      (4, 'carried', false, 60, 0), (4, 'carried', true, 40, 0), (4, 'maintained', false, 50000, 0);
    insert into nms.table_metrics_differences (
      run_id, schema_name, table_name, table_oid, method, claimed_row_count, row_count, claimed_from_run, detail
    )
    values (2, 'public', 'orders', 'public.orders'::regclass, 'carried', 1, 2, 1, '');
    update nms.table_metrics_measurements set method = 'carried', carried_from_run = 3
    where run_id = 4 and table_name = 'orders';
  `)
}

test('where nothing is carried, nothing tells about it', async (t) => {
  const db = await createDatabase(t)
  await collect(db.sql)

  const { stdout } = await tableMetrics(t, db.url, ['status'])
  const { stdout: json } = await tableMetrics(t, db.url, ['status', '--json'])
  const { stderr: doctor } = await tableMetrics(t, db.url, ['doctor'])

  t.notRegex(stdout + doctor, /carried|counted again|shadow/)
  t.false('carrying' in JSON.parse(json))
})

test('status and doctor say how much is carried and how far that can be trusted, since the last difference', async (t) => {
  const db = await createDatabase(t)
  await writeTrust(db.sql)
  const [{ is_able, until }] = await db.sql<[{ is_able: boolean; until: string }]>`
    select
      current_setting('server_version_num')::int >= 150000 as is_able,
      to_char((now() + '7 days') at time zone 'America/New_York', 'YYYY-MM-DD') as until
  `

  const { stdout } = await tableMetrics(t, db.url, ['status'])
  const { stderr: doctor } = await tableMetrics(t, db.url, ['doctor'])
  const { stdout: json } = await tableMetrics(t, db.url, ['status', '--json'])

  const lines = [
    is_able
      ? 'carried: 1 of 2 tables in run 4, the oldest since run 3'
      : 'carried: nothing, because this server is PostgreSQL 14: every table is counted',
    'counted again: 14,100 since run 3, 1 difference before that: at most 1 in 4,700 carried counts is wrong (95 %)',
    'not carried: 1 refuted, see the alerts',
    `in their shadow: 1 rule until ${until}`,
  ]
  for (const line of lines) {
    t.true(stdout.includes(`\n${line}`), stdout)
    t.true(doctor.includes(`\n${line}`), doctor)
  }
  t.true(stdout.includes('\n  the last run would have carried 40 tables, 0 of them wrong\n'), stdout)
  t.like(JSON.parse(json).carrying, {
    run_id: 4,
    tables: 2,
    carried: 1,
    oldest_run: 3,
    compared_since_run: 3,
    comparisons: 14100,
    differences: 1,
    one_in: 4700,
    open_differences: 1,
  })
  t.like(JSON.parse(json).carrying.shadow, { rules: 1, comparisons: 40, differences: 0 })
})

test('a few comparisons bound nothing', async (t) => {
  const db = await createDatabase(t)
  await db.sql`insert into nms.table_metrics_comparisons values (1, 'carried', false, 5, 0)`
  await collect(db.sql)

  const { stdout } = await tableMetrics(t, db.url, ['status'])

  t.true(stdout.includes('\ncounted again: 5 since run 1, no difference: too few to tell more\n'), stdout)
})
