import ava from 'ava'
import { collect, createDatabase } from '../_support/database.ts'
import { createHistory, daysAgo, writeRuns } from '../_support/history.ts'
import { failsClearly, run, tableMetrics } from '../_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

const days = {
  2: { public: { orders: 1000 }, 'My, "Shop"': { 'a\nb': 7 } },
  0: { public: { orders: '9007199254740993' } },
}

test('export prints each measurement as a line of CSV, oldest first, names quoted where they have to be', async (t) => {
  const db = await createHistory(t, days)

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['export'])

  t.is(status, 0, stderr)
  t.is(stderr, '')
  const [header, ...lines] = stdout.replace('a\nb', 'a b').trimEnd().split('\n')
  t.is(
    header,
    'run_id,snapshot_date,collected_at,status,schema_name,table_name,table_kind,is_partition,row_count,own_row_count,method,measured_at,error_sqlstate,error_message,row_count_low,row_count_high,carried_from_run,total_bytes,table_bytes,index_bytes,own_total_bytes,dead_rows,frozen_age,last_vacuum,last_analyze,filtered',
  )
  t.deepEqual(
    lines.map((line) => line.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/g, 'TIME')),
    [
      `1,${await daysAgo(db.sql, 2)},TIME,SUCCEEDED,"My, ""Shop""","a b",table,false,7,7,imported,TIME,,,,,,,,,,,,,,`,
      `1,${await daysAgo(db.sql, 2)},TIME,SUCCEEDED,public,orders,table,false,1000,1000,imported,TIME,,,,,,,,,,,,,,`,
      `2,${await daysAgo(db.sql, 0)},TIME,SUCCEEDED,public,orders,table,false,9007199254740993,9007199254740993,imported,TIME,,,,,,,,,,,,,,`,
    ],
  )
})

for (const args of [['--format', 'ndjson'], ['--json']]) {
  test(`export ${args.join(' ')} prints each measurement as a line of JSON with exact counts`, async (t) => {
    const db = await createHistory(t, days)

    const { status, stdout, stderr } = await tableMetrics(t, db.url, ['export', ...args])

    t.is(status, 0, stderr)
    const lines = stdout.trimEnd().split('\n')
    t.deepEqual(
      lines
        .map((line) => JSON.parse(line))
        .map(({ run_id, schema_name, table_name }) => [run_id, schema_name, table_name]),
      [
        [1, 'My, "Shop"', 'a\nb'],
        [1, 'public', 'orders'],
        [2, 'public', 'orders'],
      ],
    )
    t.regex(lines[2] ?? '', /"row_count":9007199254740993,/)
  })
}

test('what matched the filters of a table is in one column', async (t) => {
  const db = await createDatabase(t)
  await writeRuns(db.sql, [
    { day: 0, counts: { 'public.orders': { rows: 9, filtered: { open: 4, 'a, b': 2 } }, 'public.plain': 1 } },
  ])

  const csv = await tableMetrics(t, db.url, ['export'])
  const json = await tableMetrics(t, db.url, ['export', '--json'])

  t.regex(csv.stdout, /,"\{ ""a, b"" : 2, ""open"" : 4 \}"\n/)
  t.deepEqual(
    json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).filtered),
    [{ 'a, b': 2, open: 4 }, null],
  )
})

test('a table that could not be counted has no count, but the reason', async (t) => {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.orders as select 1 as id;
    update nms.table_metrics_settings set lock_timeout = '50 ms';
  `)
  await db.connect().unsafe('begin; lock table public.orders in access exclusive mode')
  await collect(db.sql)

  const { stdout } = await tableMetrics(t, db.url, ['export', '--json'])

  t.like(JSON.parse(stdout), {
    status: 'FAILED',
    table_name: 'orders',
    row_count: null,
    error_sqlstate: '55P03',
  })
})

test('--since and --table leave out the rest; times are in UTC, whatever the session says', async (t) => {
  const db = await createHistory(t, days)
  await db.sql.unsafe(`alter database ${db.name} set timezone = 'Asia/Kolkata'`)
  await db.sql.unsafe(`alter database ${db.name} set datestyle = 'German'`)
  const [second] = await db.sql<[{ at: string }]>`
    select to_char(collected_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at
    from nms.table_metrics_runs
    where run_id = 2
  `
  const ids = async (...args: string[]) => {
    const { stdout } = await tableMetrics(t, db.url, ['export', '--json', ...args])
    return stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => [JSON.parse(line).run_id, JSON.parse(line).table_name])
  }

  t.deepEqual(await ids('--since', 'yesterday'), [[2, 'orders']])
  t.deepEqual(await ids('--since', await daysAgo(db.sql, 2), '--table', 'public.orders'), [
    [1, 'orders'],
    [2, 'orders'],
  ])
  t.deepEqual(await ids('--until', 'yesterday', '--table', 'public.orders'), [[1, 'orders']])
  t.deepEqual(await ids('--schema', 'public', '--like', 'LIC.ORD'), [
    [1, 'orders'],
    [2, 'orders'],
  ])
  const { stdout } = await tableMetrics(t, db.url, ['export', '--since', 'today'])
  t.true(stdout.includes(`\n2,${await daysAgo(db.sql, 0)},${second.at},`), stdout)
})

test('a long history arrives whole, and a reader that has seen enough is no error', async (t) => {
  const db = await createHistory(t, { 0: { public: { orders: 1 } } })
  await db.sql`
    insert into nms.table_metrics_measurements
      (run_id, schema_name, table_name, row_count, own_row_count, method, measured_at, table_kind, is_partition, table_oid)
    select 1, 'many', 't' || n, n, n, 'imported', now(), 'table', false, 0 from generate_series(1, 20001) as n
  `
  const shell = (command: string) =>
    run(
      t,
      'bash',
      ['-c', `${process.execPath} src/cli.ts export --json | ${command}; echo "\${PIPESTATUS[0]}"`],
      {
        env: { DATABASE_URL: db.url },
      },
    )

  t.is((await shell('wc -l')).stdout.trim().replace(/\s+/g, ' '), '20002 0')
  const head = await shell('head -n 1')

  t.is(head.stdout.split('\n').length, 3)
  t.is(head.stderr, '')
})

test('a full disk ends an export with an error', async (t) => {
  const db = await createHistory(t, days)

  const finished = await run(t, 'bash', ['-c', `exec ${process.execPath} src/cli.ts export > /dev/full`], {
    env: { DATABASE_URL: db.url },
  })

  failsClearly(t, finished, 'ENOSPC')
})

for (const [args, words] of [
  [
    ['--format', 'xml'],
    ['xml', 'csv', 'ndjson'],
  ],
  [
    ['--table', 'public.ordres'],
    ['public.ordres', 'public.orders'],
  ],
  [
    ['--since', 'monday'],
    ['monday', '2026-11-20'],
  ],
  [
    ['--schema', 'pubic'],
    ['no run has met a schema pubic', 'There are: '],
  ],
  [['--since', 'today', '--until', 'yesterday'], ['expected the earlier day first']],
] as const) {
  test(`"export ${args.join(' ')}" gives one clear message that says what to type instead`, async (t) => {
    const db = await createHistory(t, days)

    failsClearly(t, await tableMetrics(t, db.url, ['export', ...args]), ...words)
  })
}
