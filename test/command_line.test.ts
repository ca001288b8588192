import { readFile } from 'node:fs/promises'
import ava, { type ExecutionContext } from 'ava'
import { pinned } from '../src/connection/search_path.ts'
import { parseExactly } from '../src/reading/exact_json.ts'
import { describeRun, readRunReport } from '../src/reading/report.ts'
import { collectRun, collectTableMetrics } from '../src/run/collect.ts'
import { collect, createDatabase, type Sql, type TestDatabase } from './_support/database.ts'
import { eventually } from './_support/eventually.ts'
import { failsClearly, startTableMetrics, tableMetrics } from './_support/process.ts'

// Each starts processes of its own.
const test = ava.serial

/** A database with a few tables in a few schemas. */
async function createOrchard(t: ExecutionContext): Promise<TestDatabase> {
  const db = await createDatabase(t)
  await db.sql.unsafe(`
    create table public.apples as select generate_series(1, 1234) as id;
    create table public.pears as select generate_series(1, 5) as id;
    create table public.plums (id int);
    create schema tmp;
    create table tmp.crates as select generate_series(1, 7) as id;
    create schema scratch;
    create table scratch.notes as select generate_series(1, 9) as id;
  `)
  return db
}

test('collect --json prints one JSON document and nothing else, on either stream', async (t) => {
  const db = await createOrchard(t)

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['collect', '--json'])

  t.is(status, 0, stderr)
  t.regex(stdout, /^\{.*\}\n$/)
  const { run, payload, failures } = JSON.parse(stdout)
  t.is(run.run_id, 1)
  t.is(run.status, 'SUCCEEDED')
  t.deepEqual(payload, {
    public: { apples: 1234, pears: 5, plums: 0 },
    scratch: { notes: 9 },
    tmp: { crates: 7 },
  })
  t.deepEqual(failures, [])
  t.is(stderr, '') // although functions belong to a superuser here
})

test('lines for people go to standard error when standard output is no terminal', async (t) => {
  const db = await createOrchard(t)
  await collect(db.sql)
  await db.sql`insert into public.plums values (1), (2), (3)`
  await db.sql`delete from public.pears where id > 3`

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['collect'])

  t.is(status, 0, stderr)
  t.is(stdout, '')
  t.regex(stderr, /^public\.apples +1,234 +=$/m)
  t.regex(stderr, /^public\.plums +3 +\+3$/m)
  t.regex(stderr, /^public\.pears +3 +-2 +-40\.0 %$/m)
  t.regex(stderr, /^run 2: SUCCEEDED$/m)
  t.regex(stderr, /^5 tables, 1,256 rows/m)
})

test('--skip and --exclude may be repeated', async (t) => {
  const db = await createOrchard(t)
  const request = [
    '--skip',
    'tmp',
    '--exclude',
    'public.pears',
    '--skip',
    'scratch',
    '--exclude',
    'public.plums',
  ]

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['collect', '--json', ...request])

  t.is(status, 0, stderr)
  const { run, payload } = JSON.parse(stdout)
  t.deepEqual(payload, { public: { apples: 1234 } })
  t.deepEqual(run.skip_schemas, ['tmp', 'scratch'])
  t.deepEqual(run.exclude_tables, ['public.pears', 'public.plums'])
})

test('an entry that matches nothing is named', async (t) => {
  const db = await createOrchard(t)

  const { status, stderr } = await tableMetrics(t, db.url, [
    'collect',
    '--skip',
    'tpm',
    '--exclude',
    'public.peers',
  ])

  t.is(status, 0)
  t.regex(stderr, /skip .*tpm/)
  t.regex(stderr, /exclude .*public\.peers/)
})

test('a run with a table that cannot be counted exits with 1 and says why', async (t) => {
  const db = await createOrchard(t)
  await db.sql`update nms.table_metrics_settings set lock_timeout = '50 ms'`
  await db.connect().unsafe('begin; lock table public.pears in access exclusive mode')

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['collect', '--json'])

  t.is(status, 1)
  const { run, payload, failures } = JSON.parse(stdout)
  t.is(run.status, 'FAILED')
  t.is(payload, null)
  t.like(failures, [{ schema_name: 'public', table_name: 'pears', error_sqlstate: '55P03' }])
  t.is(failures.length, 1)
  t.is(stderr, '')

  const second = await tableMetrics(t, db.url, ['collect'])
  t.is(second.status, 1)
  t.regex(second.stderr, /^public\.pears +not counted \(55P03\)$/m)
  t.regex(second.stderr, /^run 2: FAILED$/m)
  t.regex(second.stderr, /^reason: .*public\.pears.*lock_timeout/m)

  const quiet = await tableMetrics(t, db.url, ['collect', '--quiet'])
  failsClearly(t, quiet, 'run 3: FAILED: ', 'public.pears')
})

test('collect --quiet says nothing of a run that SUCCEEDED', async (t) => {
  const db = await createOrchard(t)

  const finished = await tableMetrics(t, db.url, ['collect', '--quiet'])

  t.like(finished, { status: 0, stdout: '', stderr: '' })
  t.deepEqual([...(await db.sql`select status from nms.table_metrics_runs`)], [{ status: 'SUCCEEDED' }])
  failsClearly(t, await tableMetrics(t, db.url, ['collect', '--quiet', '--json']), '--quiet', '--json')
})

// What of a command line can be seen to be wrong, and what is said about it.
const refused: [args: string[], ...words: string[]][] = [
  [['--exclude', 'apples'], 'exclude: saw "apples", expected', 'public.orders'],
  [['--exclude', ''], 'exclude: saw "", expected'],
  [['--skip', ''], 'skip: saw "", expected'],
  [['--deadline', 'soon'], '--deadline: saw soon, expected'],
  [['--jobs', '2'], '--online'],
  [['--strict', '--skip', 'tpm'], 'skip: saw "tpm", which matches nothing'],
  [
    ['--strict', '--exclude', 'public.peers', '--exclude', 'public.pears'],
    'exclude: saw "public.peers", which matches nothing',
  ],
]

for (const [args, ...words] of refused) {
  test(`collect ${args.join(' ')} is refused in one line, and leaves no run`, async (t) => {
    const db = await createOrchard(t)

    const finished = await tableMetrics(t, db.url, ['collect', ...args])

    failsClearly(t, finished, ...words)
    t.is(finished.stderr.split('\n').length, 2, finished.stderr)
    t.is((await db.sql`select from nms.table_metrics_runs`).length, 0)
  })
}

test('a refused request is one event in the log, without a run_id', async (t) => {
  const db = await createOrchard(t)
  const args = ['collect', '--exclude', 'apples', '--log']

  const json = await tableMetrics(t, db.url, [...args, 'json'])
  const text = await tableMetrics(t, db.url, [...args, 'text'])

  t.is(json.status, 1)
  t.is(json.stdout.split('\n').length, 2, json.stdout)
  const { event, level, reason, ...rest } = JSON.parse(json.stdout)
  t.deepEqual([event, level], ['run_failed', 'error'])
  t.regex(reason, /^exclude: saw "apples", expected/)
  t.false('run_id' in rest)
  t.regex(json.stderr, /^error: exclude: saw "apples", expected .*\n$/)
  t.like(text, { status: 1, stdout: '' })
  t.regex(text.stderr, /^\S+Z error run failed \(reason: exclude: saw "apples", .*\n$/)
})

test('--strict lets a run begin whose entries all match something', async (t) => {
  const db = await createOrchard(t)

  const { status, stderr } = await tableMetrics(t, db.url, [
    'collect',
    '--strict',
    '--skip',
    'tmp',
    '--quiet',
  ])

  t.is(status, 0, stderr)
})

test('--dry-run shows what would happen to each table, and leaves no run', async (t) => {
  const db = await createOrchard(t)
  const request = ['--dry-run', '--skip', 'tmp', '--skip', 'tpm', '--exclude', 'public.pears']

  const { status, stdout, stderr } = await tableMetrics(t, db.url, ['collect', ...request])

  t.is(status, 0, stderr)
  t.is(stdout, '')
  t.regex(stderr, /^public\.apples +table +counted /m)
  t.regex(stderr, /^public\.pears +table +excluded /m)
  t.regex(stderr, /^tmp\.crates +table +schema skipped /m)
  t.notRegex(stderr, /machinery/)
  t.regex(stderr, /matches nothing +skip entry "tpm"$/m)
  t.regex(stderr, /^3 counted, 1 schema skipped, 1 excluded, 1 matches nothing$/m)
  const all = await tableMetrics(t, db.url, ['collect', ...request, '--all'])
  t.regex(all.stderr, /^nms\.table_metrics_runs +table +machinery /m)
  t.is((await db.sql`select from nms.table_metrics_runs`).length, 0)
})

test('--dry-run --json prints a JSON array', async (t) => {
  const db = await createOrchard(t)

  const { status, stdout, stderr } = await tableMetrics(t, db.url, [
    'collect',
    '--dry-run',
    '--json',
    '--skip',
    'tmp',
  ])

  t.is(status, 0, stderr)
  t.is(stderr, '')
  const outcomes: { schema_name: string; table_name: string; outcome: string }[] = JSON.parse(stdout)
  t.deepEqual(
    outcomes
      .filter(({ schema_name }) => !/^(nms|nms_private|graphile_migrate)$/.test(schema_name))
      .map(({ schema_name, table_name, outcome }) => [`${schema_name}.${table_name}`, outcome]),
    [
      ['public.apples', 'counted'],
      ['public.pears', 'counted'],
      ['public.plums', 'counted'],
      ['scratch.notes', 'counted'],
      ['tmp.crates', 'schema skipped'],
    ],
  )
  t.is((await db.sql`select from nms.table_metrics_runs`).length, 0)
})

const example = 'postgres://user@host:5432/database'

// What of DATABASE_URL, if it is set at all, and which words the message has.
const unusable: { promise: string; url: string; words: string[] }[] = [
  { promise: 'a missing DATABASE_URL', url: '', words: ['DATABASE_URL is not set', example] },
  { promise: 'a DATABASE_URL that is no URL', url: 'orchard', words: ['DATABASE_URL: saw', example] },
  {
    promise: 'a DATABASE_URL of another kind of server',
    url: 'mysql://root:s3cret@localhost/orchard',
    words: ['DATABASE_URL: saw', 'postgres://'],
  },
  {
    promise: 'a DATABASE_URL without a database',
    url: 'postgres://root:s3cret@localhost',
    words: ['DATABASE_URL: saw', 'without a database', example],
  },
  {
    promise: 'a DATABASE_URL whose password is not encoded',
    url: 'postgres://root:s3cret/12@localhost/orchard',
    words: ['DATABASE_URL: saw', '%2F', example],
  },
  {
    promise: 'a DATABASE_URL of pairs with an open quote',
    url: "host=localhost user=root password='s3cret dbname=orchard",
    words: ['DATABASE_URL: saw', example],
  },
  {
    promise: 'a refused connection',
    url: 'postgres://root:s3cret@127.0.0.1:1/orchard',
    words: ['ECONNREFUSED 127.0.0.1:1', 'hint: check DATABASE_URL'],
  },
]

for (const { promise, url, words } of unusable) {
  test(`${promise} gives one clear message, without the password`, async (t) => {
    for (const command of ['migrate', 'collect']) {
      const finished = await tableMetrics(t, url, [command])

      failsClearly(t, finished, ...words)
      t.notRegex(finished.stderr, /s3cret/)
    }
  })
}

test('a rejected password and an unknown database give one clear message, without the password', async (t) => {
  const db = await createDatabase(t)
  const role = await db.createRole()
  const [rejected, unknown] = [new URL(role.url), new URL(role.url)]
  rejected.password = 's3cret'
  unknown.pathname = '/orchard'

  failsClearly(t, await tableMetrics(t, unknown.href, ['collect']), 'orchard', 'hint: check DATABASE_URL')
  const finished = await tableMetrics(t, rejected.href, ['collect'])

  failsClearly(t, finished, role.name, 'hint: check DATABASE_URL')
  t.notRegex(finished.stderr, /s3cret/)
})

for (const args of [['collect'], ['collect', '--dry-run']]) {
  test(`${args.join(' ')} in a database without an install says how to install`, async (t) => {
    const db = await createDatabase(t, 'empty_template')

    failsClearly(t, await tableMetrics(t, db.url, args), 'nms', 'table-metrics migrate')
  })
}

for (const [args, words, help] of [
  [['colect'], ["'colect'", 'collect'], 'table-metrics --help'],
  [['collect', '--jsno'], ["'--jsno'", '--json'], 'table-metrics collect --help'],
  [['collect', 'public'], ["'collect'"], 'table-metrics collect --help'],
  [['collect', '--skip'], ['--skip <schema>'], 'table-metrics collect --help'],
  [['trend'], ["'name'"], 'table-metrics trend --help'],
] as const) {
  test(`"${args.join(' ')}" gives one clear message and the way to the help`, async (t) => {
    failsClearly(t, await tableMetrics(t, '', [...args]), ...words, `(type ${help})`)
  })
}

for (const [args, said] of [
  [['daily', 'monday'], 'day: saw monday, expected a day such as'],
  [['daily', "it's 'invalid'. saw x"], "day: saw it's 'invalid'. saw x, expected a day such as"],
  [['status', '--runs', 'many'], '--runs: saw many, expected a whole number from 1 to 999'],
  [['collect', '--jobs', '99'], '--jobs: saw 99, expected a whole number from 1 to 32'],
  [['collect', '--log', 'xml'], '--log: saw xml, expected json or text'],
  [['completion', 'tcsh'], 'shell: saw tcsh, expected bash, zsh or fish'],
] as const) {
  test(`"${args.join(' ')}" is said once, with what is expected`, async (t) => {
    const finished = await tableMetrics(t, '', [...args])

    failsClearly(t, finished)
    t.true(finished.stderr.startsWith(`error: ${said}`), finished.stderr)
    t.is(finished.stderr.split('\n').length, 3, finished.stderr)
  })
}

test('--version is that of the package, and asks no database', async (t) => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'))

  const finished = await tableMetrics(t, 'postgres://nowhere.invalid/none', ['--version'])

  t.like(finished, { status: 0, stdout: `${version}\n`, stderr: '' })
})

test('SNAPSHOT_TZ decides in which zone times are shown', async (t) => {
  const db = await createOrchard(t)

  const { status, stderr } = await tableMetrics(t, db.url, ['collect'], { SNAPSHOT_TZ: 'Asia/Kolkata' })

  t.is(status, 0, stderr)
  t.true(stderr.includes(`started ${await startedIn(db.sql, 'Asia/Kolkata')} (Asia/Kolkata)`), stderr)
})

for (const [zone, shown] of [
  ['Asia/Kolkata', 'Asia/Kolkata'],
  ['Factory', 'UTC'], // the server knows it, JavaScript does not
] as const) {
  test(`without SNAPSHOT_TZ times are shown in the business time zone: ${zone}`, async (t) => {
    const db = await createOrchard(t)
    await db.sql`update nms.table_metrics_settings set business_time_zone = ${zone}`

    const { status, stderr } = await tableMetrics(t, db.url, ['collect'])

    t.is(status, 0, stderr)
    t.true(stderr.includes(`(${zone}), started ${await startedIn(db.sql, shown)} (${shown})`), stderr)
  })
}

test('a SNAPSHOT_TZ that is no time zone is refused in one line', async (t) => {
  const db = await createOrchard(t)

  const finished = await tableMetrics(t, db.url, ['collect'], { SNAPSHOT_TZ: 'Mars/Olympus' })

  failsClearly(t, finished, 'SNAPSHOT_TZ', 'Mars/Olympus', 'Europe/Berlin')
  t.is(finished.stderr.trim().split('\n').length, 1)
  t.is((await db.sql`select from nms.table_metrics_runs`).length, 0)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} while it counts ends the run as FAILED and leaves no session`, async (t) => {
    const db = await createOrchard(t)
    await db.sql`update nms.table_metrics_settings set lock_timeout = '1 min'`
    await db.connect().unsafe('begin; lock table public.pears in access exclusive mode')
    const collecting = startTableMetrics(t, db.url, ['collect', '--json'])
    const sessions = () => db.sql`
      select wait_event_type from pg_stat_activity
      where datname = current_database() and application_name = 'table-metrics'
    `
    await eventually(
      async () => (await sessions()).some(({ wait_event_type }) => wait_event_type === 'Lock'),
      'the run waits for pears',
    )

    collecting.kill(signal)
    const { status, stdout, stderr } = await collecting.finished

    t.is(status, 1, stderr)
    const { run } = JSON.parse(stdout)
    t.is(run.status, 'FAILED')
    t.regex(run.error_message, /^stopped: .*public\.pears.*57014/)
    t.is(stderr, '')
    await eventually(async () => (await sessions()).length === 0, 'its sessions are gone')
    const runs = await db.sql`select status, error_message from nms.table_metrics_runs`
    t.deepEqual([...runs], [{ status: 'FAILED', error_message: run.error_message }])
  })
}

test('a run that is aborted before it is opened leaves nothing', async (t) => {
  const db = await createOrchard(t)

  await t.throwsAsync(collectTableMetrics(db.url, {}, { signal: AbortSignal.abort() }), {
    message: /stopped/,
  })

  t.is((await db.sql`select from nms.table_metrics_runs`).length, 0)
})

test('a run that is aborted before it counts ends as FAILED', async (t) => {
  const db = await createOrchard(t)
  const [{ run_id }] = await db.sql<[{ run_id: string }]>`select nms.open_run() as run_id`

  const run = await collectRun(db.url, run_id, { signal: AbortSignal.abort() })

  t.is(run.status, 'FAILED')
  t.is(run.error_message, 'stopped')
  t.is(run.target_count, null)
})

test('a count beyond 2^53 is exact in the report and in its JSON', async (t) => {
  const db = await createOrchard(t)
  const run = await collect(db.sql)
  await db.sql`
    update nms.table_metrics_measurements
    set row_count = 9007199254740993, own_row_count = 9007199254740993
    where table_name = 'apples'
  `
  await db.sql`
    update nms.table_metrics_run_snapshot
    set payload = jsonb_set(payload, '{public,apples}', '9007199254740993')
  `

  const json = await readRunReport(pinned(db.sql), run.run_id)
  const text = describeRun(parseExactly(json))

  t.regex(text, /^public\.apples +9,007,199,254,740,993$/m)
  t.regex(json, /"apples": 9007199254740993\D/)
})

test('every command has a help with an example', async (t) => {
  const { status, stdout } = await tableMetrics(t, '', ['--help'])
  t.is(status, 0)
  const commands = [...stdout.matchAll(/^ {2}(\w+)(?: \[options\])? {2,}\w/gm)].map(([, name]) => name ?? '')
  t.true(['migrate', 'sql', 'collect'].every((name) => commands.includes(name)))

  for (const command of commands) {
    const help = await tableMetrics(t, '', [command, '--help'])

    t.is(help.status, 0)
    t.regex(help.stdout, new RegExp(`^Example:\n.*table-metrics ${command}`, 'm'))
  }
})

/** When the run started, as the server writes it in this zone. */
async function startedIn(sql: Sql, zone: string): Promise<string | undefined> {
  const [run] = await sql<{ at: string }[]>`
    select to_char(collected_at at time zone ${zone}, 'YYYY-MM-DD HH24:MI:SS') as at
    from nms.table_metrics_runs
  `
  return run?.at
}
