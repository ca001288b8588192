// Whoever has no right to write to our tables is in nobody's way, whatever locks are taken.
import test, { type ExecutionContext } from 'ava'
import { collectRows, createShop } from './_support/alert_shop.ts'
import { openAlerts } from './_support/alerts.ts'
import { createDatabase, type Run, type TestDatabase } from './_support/database.ts'

const slots = ['2024-11-18T05:15:00Z', '2024-11-19T05:15:00Z', '2024-11-20T05:15:00Z']

/** Opens a job for each slot and counts what it asks for, each with a short timeout. */
async function expectService(t: ExecutionContext, db: TestDatabase): Promise<void> {
  const session = db.connect({ connection: { statement_timeout: 300_000 } })
  const actions: string[] = []
  for (const [n, ts] of slots.entries()) {
    const payload = JSON.stringify({ exclude: [`public.none_${n}`], _cron: { ts } })
    const [job] = await session<[{ action: string; run_id: string }]>`
      select action, run_id from nms_private.open_job(payload => ${payload}::text::jsonb)
    `
    const [run] = await session<[Run]>`
      select * from nms.collect_table_metrics(run_id => ${job.run_id})
    `
    actions.push(`${job.action} ${run.status}`)
  }
  t.deepEqual(
    actions,
    slots.map(() => 'collect SUCCEEDED'),
  )
}

test('advisory locks whose keys can be computed are in no way of jobs, of runs that end, and of alerts', async (t) => {
  const db = await createShop(t)
  const stranger = (await db.createRole()).connect()
  for (const [name, number] of [
    ['open_job', '0'],
    ['record_alerts', '0'],
    ...slots.map((slot) => ['close_run', String(Date.parse(slot) / 1000)]),
  ]) {
    await stranger`select pg_advisory_lock(hashtextextended(${`nms.${name}`}, ${number as string}::bigint))`
  }

  await expectService(t, db)
  await collectRows(db.sql, 40)

  t.deepEqual(await openAlerts(db.sql), ['drop public.orders'])
})

const modes = [
  'access share',
  'row share',
  'row exclusive',
  'share update exclusive',
  'share',
  'share row exclusive',
  'exclusive',
  'access exclusive',
]

test('a reader who has every lock that a reader can take is in no way of jobs, of runs that end, and of alerts', async (t) => {
  const db = await createShop(t)
  const role = await db.createRole()
  await db.sql.unsafe(`
    grant usage on schema nms, nms_private to ${role.name};
    grant select on all tables in schema nms, nms_private to ${role.name};
    grant execute on function nms_private.alert_rule, nms_private.list_maintained to ${role.name};
  `)
  const reader = role.connect()
  const tables = await db.sql<{ name: string }[]>`
    select oid::regclass::text as name
    from pg_class
    where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relkind in ('r', 'v')
  `
  await reader`begin`
  const taken = new Set<string>()
  for (const { name } of tables) {
    await reader.unsafe(`select * from ${name}`)
    for (const statement of [
      ...modes.map((mode) => `lock table ${name} in ${mode} mode`),
      ...['update', 'no key update', 'share', 'key share'].map((mode) => `select from ${name} for ${mode}`),
    ]) {
      await reader`savepoint attempt`
      await reader.unsafe(statement).then(
        () => taken.add(statement.replace(name, '…')),
        () => reader`rollback to attempt`,
      )
    }
  }
  t.deepEqual([...taken], ['lock table … in access share mode'])

  await expectService(t, db)
  await collectRows(db.sql, 40)

  t.deepEqual(await openAlerts(db.sql), ['drop public.orders'])
  await reader`rollback`
})

test('whoever opens a job and does not commit is named to the next one, which can be tried again', async (t) => {
  const db = await createDatabase(t)
  const holder = db.connect({ connection: { application_name: 'forgotten psql' } })
  await holder`begin`
  await holder`select nms_private.open_job(payload => '{"_cron": {"ts": "2024-11-20T05:15:00Z"}}')`
  const [{ pid }] = await holder<[{ pid: number }]>`select pg_backend_pid() as pid`
  const open = () => db.sql<[{ action: string }]>`
    select action from nms_private.open_job(payload => '{"_cron": {"ts": "2024-11-21T05:15:00Z"}}')
  `
  const error = await t.throwsAsync(open(), { code: '55P03' })

  t.regex(error?.message ?? '', new RegExp(`session ${pid} \\(postgres, forgotten psql\\)`))
  await holder`rollback`
  t.is((await open())[0].action, 'collect')
})

test('no call waits for ever for an operator who has locked the tables of the collector', async (t) => {
  const db = await createDatabase(t)
  const [{ run_id }] = await db.sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  const operator = db.connect()
  await operator`begin`
  await operator`lock table nms.table_metrics_runs, nms.table_metrics_alert_log`

  await Promise.all(
    [
      'select nms.open_run()',
      'select nms_private.open_job(null)',
      'select nms.collect_table_metrics()',
      `select nms.collect_table_metrics(run_id => ${run_id})`,
      `select nms.close_run(${run_id})`,
      "select nms.prune_table_metrics('0', '0')",
      'select nms_private.record_missing_run()',
    ].map((call) => t.throwsAsync(db.connect().unsafe(call), { code: '55P03' }, call)),
  )

  await operator`rollback`
})
