import test from 'ava'
import { collect, createDatabase, rowCounts } from './_support/database.ts'

test('an install has one row of settings, with the documented defaults', async (t) => {
  const { sql } = await createDatabase(t)

  const rows = await sql`
    select
      business_time_zone, machinery_schemas,
      lock_timeout = '5 s' as lock_timeout, abandon_after = '5 min' as abandon_after, yield_after = '2 s' as yield_after,
      keep_at_least = '30 days' as keep_at_least
    from nms.table_metrics_settings
  `

  t.deepEqual(
    rows.map((row) => ({ ...row })),
    [
      {
        business_time_zone: 'America/New_York',
        machinery_schemas: ['nms', 'nms_private', 'graphile_worker', 'graphile_migrate'],
        lock_timeout: true,
        abandon_after: true,
        yield_after: true,
        keep_at_least: true,
      },
    ],
  )
})

// 'UTC+5' and the like are POSIX zones to Postgres, five hours to the west.
const unknownZones = [
  'Mars/X',
  'UTC+5',
  'UTC-05:00',
  '+05:30',
  '-5',
  'GMT+5:30',
  '',
  ' ',
  ' UTC',
  'EST5EDT4x',
  'EST5EDT,M3.2.0,M11.1.0',
  'CEST',
  'America',
  'America/',
  'America/New York',
  'America/New_York\n',
  "Europe/Berlin'; --",
  'local',
  'default',
]

test('a business time zone that the server does not know is refused when it is written', async (t) => {
  const { sql } = await createDatabase(t)

  for (const zone of unknownZones) {
    const error = await t.throwsAsync<Error & { constraint_name: string }>(
      async () => await sql`update nms.table_metrics_settings set business_time_zone = ${zone}`,
      { code: '23514' },
      zone,
    )
    t.is(error?.constraint_name, 'business_time_zone_is_known_to_the_server', zone)
  }
  await t.throwsAsync(
    async () => await sql`update nms.table_metrics_settings set business_time_zone = null`,
    {
      code: '23502',
    },
  )

  const [settings] = await sql`select business_time_zone as zone from nms.table_metrics_settings`
  t.is(settings?.zone, 'America/New_York')
  t.is((await collect(sql)).status, 'SUCCEEDED')
})

test('a business time zone may be written in any case, and days follow it', async (t) => {
  const { sql } = await createDatabase(t)

  for (const [zone, day] of [
    ['UTC', '2026-01-01'],
    ['Europe/Berlin', '2026-01-01'],
    ['america/new_york', '2025-12-31'],
    ['ASIA/KOLKATA', '2026-01-01'],
    ['pAcific/pago_pago', '2025-12-31'],
    ['Etc/GMT+1', '2025-12-31'],
  ] as const) {
    await sql`update nms.table_metrics_settings set business_time_zone = ${zone}`

    const [row] = await sql`select nms.business_date('2026-01-01T00:30:00Z') as day`

    t.is(row?.day, day, zone)
    t.is((await collect(sql)).status, 'SUCCEEDED', zone)
  }
})

test('there is no second row of settings', async (t) => {
  const { sql } = await createDatabase(t)

  for (const [statement, code] of [
    ['insert into nms.table_metrics_settings default values', '23505'],
    ['insert into nms.table_metrics_settings (singleton) values (false)', '23514'],
    ['insert into nms.table_metrics_settings (singleton) values (null)', '23502'],
    ['update nms.table_metrics_settings set singleton = false', '23514'],
  ] as const) {
    await t.throwsAsync(async () => await sql.unsafe(statement), { code }, statement)
  }

  t.is((await sql`select from nms.table_metrics_settings`).length, 1)
})

test('there is always a row of settings: it cannot be deleted', async (t) => {
  const { sql } = await createDatabase(t)

  for (const statement of ['delete from nms.table_metrics_settings', 'truncate nms.table_metrics_settings']) {
    await t.throwsAsync(async () => await sql.unsafe(statement), { code: '55000' }, statement)
  }

  t.is((await sql`select from nms.table_metrics_settings`).length, 1)
})

for (const [column, { accepted, refused }] of Object.entries({
  lock_timeout: {
    accepted: ['1 ms', '5 s', '1 day', '24 h'],
    refused: ['0', '999 us', '-1 s', '1 day 1 ms', '25 h', '1 month'],
  },
  abandon_after: {
    accepted: ['1 s', '5 min', '30 days', '1 month'],
    refused: ['0', '999 ms', '-1 min', '30 days 1 s', '1 month 1 us'],
  },
  yield_after: {
    accepted: ['1 ms', '2 s', '1 day'],
    refused: ['0', '999 us', '-1 s', '1 day 1 us'],
  },
  keep_at_least: {
    accepted: ['0', '30 days', '1000 years'],
    refused: ['-1 us', '1000 years 1 us', '300000 years'],
  },
})) {
  test(`${column} keeps within its bounds`, async (t) => {
    const { sql } = await createDatabase(t)
    const write = (value: string | null) =>
      sql`update nms.table_metrics_settings set ${sql(column)} = ${value}::text::interval`

    for (const value of accepted) {
      await t.notThrowsAsync(async () => await write(value), value)
      t.is((await collect(sql)).status, 'SUCCEEDED', value)
    }
    for (const value of refused) await t.throwsAsync(async () => await write(value), { code: '23514' }, value)
    await t.throwsAsync(async () => await write(null), { code: '23502' })
  })
}

test('lock_timeout bounds how long a count waits', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql.unsafe('create table public.free (id int); create table public.locked (id int)')
  await sql`update nms.table_metrics_settings set lock_timeout = '1 ms'`
  const holder = connect()
  await holder`begin`
  await holder`lock table public.locked in access exclusive mode`

  const run = await collect(sql)

  t.is(run.status, 'FAILED')
  t.true(run.error_message?.includes('55P03'))
  t.true(run.error_message?.includes('public.locked'))
  t.is((await rowCounts(sql, run))['public.locked'], null)
  await holder`rollback`
})

test('machinery_schemas has no null', async (t) => {
  const { sql } = await createDatabase(t)

  for (const schemas of [[null], ['nms', null], [null, 'nms']]) {
    await t.throwsAsync(
      async () => await sql`update nms.table_metrics_settings set machinery_schemas = ${schemas}::text[]`,
      { code: '23514' },
    )
  }
  await t.throwsAsync(async () => await sql`update nms.table_metrics_settings set machinery_schemas = null`, {
    code: '23502',
  })
})

test('machinery_schemas are left out of every run, and nothing else is', async (t) => {
  const { sql } = await createDatabase(t)
  await sql.unsafe(`
    create table public.orders (id int);
    create schema tool;
    create table tool.jobs (id int);
    create schema "Tool";
    create table "Tool".jobs (id int);
    create schema graphile_worker;
    create table graphile_worker.jobs (id int);
  `)
  const counted = async (machinery: string[]) => {
    await sql`update nms.table_metrics_settings set machinery_schemas = ${machinery}`
    const run = await collect(sql)
    t.is(run.status, 'SUCCEEDED')
    return Object.keys(await rowCounts(sql, run)).filter(
      (name) => !/^(nms|nms_private|graphile_migrate)\./.test(name),
    )
  }

  t.deepEqual(await counted(['nms', 'nms_private', 'graphile_worker', 'graphile_migrate']), [
    'Tool.jobs',
    'public.orders',
    'tool.jobs',
  ])
  t.deepEqual(await counted(['tool', 'nowhere', '']), ['Tool.jobs', 'graphile_worker.jobs', 'public.orders'])
  t.deepEqual(await counted([]), ['Tool.jobs', 'graphile_worker.jobs', 'public.orders', 'tool.jobs'])
})

test('a run that also counts the tables of the collector finds none of its own measurements', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`update nms.table_metrics_settings set machinery_schemas = '{}'`

  const run = await collect(sql)

  t.is(run.status, 'SUCCEEDED')
  t.like(await rowCounts(sql, run), {
    'nms.table_metrics_settings': 1,
    'nms.table_metrics_measurements': 0,
    'nms.table_metrics_run_snapshot': 0,
  })
})
