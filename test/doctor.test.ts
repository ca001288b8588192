import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { diagnose, type Problem } from '../src/doctor/doctor.ts'
import { installScript } from '../src/install/install_script.ts'
import { migrate } from '../src/install/migrate.ts'
import { collect, createDatabase, type Sql, withDatabase } from './_support/database.ts'
import { daysAgo, writeRun } from './_support/history.ts'
import { runAsOwner } from './_support/owner.ts'
import { failsClearly, tableMetrics } from './_support/process.ts'

const daily = '15 5 * * * collect_table_metrics ?id=daily&fill=1d'

const weeklyLine = '30 6 * * 0 prune_table_metrics ?id=weekly'
const weekly = `${weeklyLine} {keepRuns: "90 days", keepDaily: "5 years"}`

/** A crontab of these lines, deleted when the test ends. */
async function crontab(t: ExecutionContext, ...lines: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'crontab-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'crontab'), `${lines.join('\n')}\n`)
  return join(folder, 'crontab')
}

const findProblems = async (...asked: Parameters<typeof diagnose>) => (await diagnose(...asked)).problems

const summary = (problems: Problem[]) => problems.map(({ severity, problem }) => `${severity} ${problem}`)

/** What a database that was just installed by a superuser has. */
const fresh = ['warning no_run_today', 'warning nothing_to_count', 'warning owned_by_superuser']

const only = (problems: Problem[], name: string) => {
  const [found, ...others] = problems.filter(({ problem }) => problem === name)
  if (!found || others.length > 0) throw new Error(`not one ${name} in ${JSON.stringify(problems)}`)
  return found
}

/** Makes a history of another project, as graphile-migrate keeps it. */
const foreignHistory = (sql: Sql) =>
  sql.unsafe(`
    create schema graphile_migrate;
    create table graphile_migrate.migrations (filename text, hash text, previous_hash text, date timestamptz);
    insert into graphile_migrate.migrations values ('000071.sql', 'sha1:0123', null, now());
  `)

for (const [what, change, ...said] of [
  ['a server that is not there', (url: string) => url.replace(/:\d+\//, ':1/'), 'ECONNREFUSED'],
  [
    'a database that does not exist',
    (url: string) => withDatabase(url, 'nowhere'),
    'nowhere',
    'does not exist',
  ],
  ['a wrong password', (url: string) => url.replace(/:[^:@]+@/, ':wrong@'), 'password'],
] as const) {
  test(`${what} is an error that says what the server or the network said`, async (t) => {
    const { url } = await createDatabase(t)

    const problems = await findProblems(change(url), await crontab(t, daily))

    t.deepEqual(summary(problems), ['error database_not_usable'])
    for (const words of said) t.true(problems[0]?.detail.includes(words), problems[0]?.detail)
    t.true(problems[0]?.remedy.includes('DATABASE_URL'), problems[0]?.remedy)
    t.false(JSON.stringify(problems).includes('wrong@'))
  })
}

test('a database without the schema nms is an error that migrate mends', async (t) => {
  const { url } = await createDatabase(t, 'empty_template')
  const file = await crontab(t, daily)

  const problems = await findProblems(url, file)

  t.deepEqual(summary(problems), ['error not_installed'])
  t.is(problems[0]?.remedy, 'table-metrics migrate')
  await migrate(url, undefined, { keepOwner: true })
  t.deepEqual(summary(await findProblems(url, file)), fresh)
})

test('a schema nms of somebody else is an error for a superuser, and nothing in it is called', async (t) => {
  const { url, sql, createRole } = await createDatabase(t, 'empty_template')
  const mallory = await createRole()
  await sql.unsafe(`
    create schema nms authorization ${mallory.name};
    create schema graphile_migrate authorization ${mallory.name};
    set role ${mallory.name};
    create function nms.find_problems(jsonb) returns text language plpgsql as 'begin raise exception ''sprung''; end';
    create view graphile_migrate.migrations as select nms.find_problems('{}') as hash, '1' as filename;
    reset role;
  `)

  const problems = await findProblems(url, await crontab(t, daily))

  t.deepEqual(summary(problems), ['error owned_by_somebody_else'])
  t.true(problems[0]?.detail.includes(mallory.name))
})

test('a schema nms_private of somebody else is an error for a superuser', async (t) => {
  const { url, sql, createRole } = await createDatabase(t)
  const mallory = await createRole()
  await sql.unsafe(`alter schema nms_private owner to ${mallory.name}`)

  const problems = await findProblems(url, await crontab(t, daily))

  t.deepEqual(summary(problems), ['error owned_by_somebody_else'])
  t.is(problems[0]?.subject, 'schema nms_private')
})

test('next to the history of another project, the way to install is the script, and what remains is a warning', async (t) => {
  const { url, sql, connect } = await createDatabase(t, 'empty_template')
  await foreignHistory(sql)
  const file = await crontab(t, daily)

  const problems = await findProblems(url, file)

  t.deepEqual(summary(problems), ['error not_installed'])
  t.true(problems[0]?.remedy.startsWith('table-metrics sql | psql'))
  await connect().unsafe(await installScript())
  const installed = await findProblems(url, file)
  t.deepEqual(summary(installed), ['warning foreign_migration_history', ...fresh])
  t.true(installed[0]?.remedy.startsWith('table-metrics sql | psql'))
})

test('an install that lacks a function is an error that names it, and the script restores it', async (t) => {
  const { url, sql, connect } = await createDatabase(t)
  await sql`drop function nms.preview_run`
  const file = await crontab(t, daily)

  const problems = await findProblems(url, file)

  t.deepEqual(summary(problems), ['error install_incomplete'])
  t.true(problems[0]?.detail.includes('preview_run'), problems[0]?.detail)
  t.true(problems[0]?.remedy.startsWith('table-metrics sql | psql'))
  await connect().unsafe(await installScript())
  t.deepEqual(summary(await findProblems(url, file)), fresh)
})

test('an install of an older version is told to migrate', async (t) => {
  const { url, sql } = await createDatabase(t)
  await sql`
    delete from graphile_migrate.migrations
    where filename = (select max(filename) from graphile_migrate.migrations)
  `
  const file = await crontab(t, daily)
  t.deepEqual(summary(await findProblems(url, file)), ['warning migrations_pending', ...fresh])
  await sql`drop function nms.find_problems`

  const problems = await findProblems(url, file)

  t.deepEqual(summary(problems), ['error install_incomplete'])
  t.is(problems[0]?.remedy, 'table-metrics migrate')
  await migrate(url, undefined, { keepOwner: true })
  t.deepEqual(summary(await findProblems(url, file)), fresh)
})

test('an install of a newer version is a warning', async (t) => {
  const { url, sql } = await createDatabase(t)
  await sql`
    insert into graphile_migrate.migrations (hash, previous_hash, filename)
    select 'sha1:new', hash, '999999.sql' from graphile_migrate.migrations order by filename desc limit 1
  `

  const problems = await findProblems(url, await crontab(t, daily))

  t.deepEqual(summary(problems), ['warning install_newer', ...fresh])
})

test('a role that may not collect is told what it needs; one that may needs no right on the history', async (t) => {
  const { sql, createRole } = await createDatabase(t)
  const role = await createRole()
  const file = await crontab(t, daily)

  const problems = await findProblems(role.url, file)

  t.deepEqual(summary(problems), ['error not_permitted'])
  t.is(problems[0]?.subject, role.name)
  t.true(problems[0]?.remedy.includes('migrations/roles.sql'))
  await sql.unsafe(`
    grant usage on schema nms, nms_private to ${role.name};
    grant execute on function nms.find_problems, nms_private.job_payload to ${role.name};
  `)
  t.deepEqual(summary(await findProblems(role.url, file)), fresh)
})

test('it changes nothing: a role that may not write is told so, and everything else', async (t) => {
  const { sql, createRole } = await createDatabase(t)
  const role = await createRole('superuser')
  await sql.unsafe(`alter role ${role.name} set default_transaction_read_only = on`)

  const problems = await findProblems(role.url, await crontab(t, daily))

  t.deepEqual(summary(problems), ['error server_is_read_only', ...fresh])
})

for (const [what, lines, expected] of [
  ['a daily line', [daily], []],
  ['a line among comments', ['# nightly', '', '  # and so on', daily], []],
  [
    'a line beside one of another task',
    [daily, '* * * * * send_mail {to: "you"}'],
    ['warning strange_task :2'],
  ],
  [
    'every fifteen minutes with a local time',
    ['*/15 * * * * collect_table_metrics {localTime: "05:15"}'],
    [],
  ],
  ['once an hour with a local time', ['0 * * * * collect_table_metrics {localTime: "05:15"}'], []],
  ['29 February', ['15 5 29 2 * collect_table_metrics'], []],
  ["New Year's Eve", ['15 5 31 12 * collect_table_metrics'], []],
  [
    'every minute of all months but December with a local time',
    ['* * * 1-11 * collect_table_metrics {localTime: "05:15"}'],
    ['warning local_time_ticks_rarely :1'],
  ],
  ['30 February or a Monday', ['15 5 30 2 1 collect_table_metrics'], []],
  ['no line', [], ['error nothing_scheduled ']],
  [
    'only lines of other tasks',
    ['* * * * * send_mail'],
    ['error nothing_scheduled ', 'warning strange_task :1'],
  ],
  ['a line in a comment', [`# ${daily}`], ['error nothing_scheduled ']],
  ['a minute of 61', ['61 5 * * * collect_table_metrics'], ['error crontab_malformed :1']],
  ['four fields', ['# daily', '15 5 * * collect_table_metrics'], ['error crontab_malformed :2']],
  ['an unknown option', ['15 5 * * * collect_table_metrics ?every=day'], ['error crontab_malformed :1']],
  [
    'a payload that is no JSON',
    ['15 5 * * * collect_table_metrics {skip: }'],
    ['error crontab_malformed :1'],
  ],
  [
    'two malformed lines',
    ['61 5 * * * a', daily, '15 24 * * * b'],
    ['error crontab_malformed :1', 'error crontab_malformed :3'],
  ],
  ['one identifier twice', [daily, daily], ['error crontab_malformed ']],
  ['30 February', ['15 5 30 2 * collect_table_metrics'], ['error schedule_never_fires :1']],
  [
    '31 April and 31 June',
    ['# never', daily, '15 5 31 4,6 * collect_table_metrics ?id=x'],
    ['error schedule_never_fires :3'],
  ],
  ['a line that prunes beside a daily one', [daily, weekly], []],
  ['a line that prunes only the days', [daily, `${weeklyLine} {keepDaily: "5 years"}`], []],
  ['only a line that prunes', [weekly], ['error nothing_scheduled ']],
  [
    'a line that prunes on 30 February',
    [daily, weekly.replace('* * 0', '30 2 *')],
    ['error schedule_never_fires :2'],
  ],
  ['a line that prunes, and says not what', ['# weekly', weeklyLine, daily], ['error malformed_payload :2']],
  [
    'two lines that prune, of which one has a typing error',
    [daily, weekly, `${weeklyLine} {keepRun: "90 days"}`.replace('weekly', 'other')],
    ['error malformed_payload :3'],
  ],
  [
    'a line that prunes, with a time that there is not',
    [daily, `${weeklyLine} {keepRuns: "90 dogs"}`],
    ['error malformed_payload :2'],
  ],
  [
    'a line that prunes, and keeps days for a shorter time than runs',
    [daily, `${weeklyLine} {keepRuns: "2 years", keepDaily: "90 days"}`],
    ['error malformed_payload :2'],
  ],
  [
    'a line that prunes more than keep_at_least allows',
    [daily, `${weeklyLine} {keepRuns: "7 days", keepDaily: "90 days"}`],
    ['error malformed_payload :2'],
  ],
  [
    'a line that prunes, with what jsonb cannot hold',
    [daily, `${weeklyLine} {keepRuns: "\\u0000"}`],
    ['error malformed_payload :2'],
  ],
  ['30 February of another task', [daily, '15 5 30 2 * send_mail'], ['warning strange_task :2']],
  [
    'once a day with a local time',
    ['15 5 * * * collect_table_metrics {localTime: "05:15"}'],
    ['warning local_time_ticks_rarely :1'],
  ],
  [
    'hourly but for a pause at night',
    ['0 6-23 * * * collect_table_metrics {localTime: "05:15"}'],
    ['warning local_time_ticks_rarely :1'],
  ],
  [
    'hourly on weekdays with a local time',
    ['0 * * * 1-5 collect_table_metrics {localTime: "05:15"}'],
    ['warning local_time_ticks_rarely :1'],
  ],
] as const) {
  test(`schedule of ${what}: ${expected.join(', ') || 'nothing to mend'}`, async (t) => {
    const { url } = await createDatabase(t)
    const file = await crontab(t, ...lines)

    const problems = await findProblems(url, file)

    t.deepEqual(
      problems
        .filter(({ subject }) => subject.startsWith(file))
        .map(({ severity, problem, subject }) => `${severity} ${problem} ${subject.slice(file.length)}`),
      [...expected],
    )
  })
}

test('a malformed line is named by its number, and by what is wrong with it', async (t) => {
  const { url } = await createDatabase(t)

  const problems = await findProblems(
    url,
    await crontab(t, '# daily', '', '61 5 * * * collect_table_metrics'),
  )

  const { detail } = only(problems, 'crontab_malformed')
  for (const words of ['line 3', '61', '0-59']) t.true(detail.includes(words), detail)
})

test('a crontab that is not there is an error', async (t) => {
  const { url } = await createDatabase(t)

  const problems = await findProblems(url, '/nowhere/crontab')

  t.deepEqual(summary(problems), ['error crontab_malformed', ...fresh])
  t.like(problems[0], { subject: '/nowhere/crontab' })
  t.true(problems[0]?.detail.includes('ENOENT'))
})

test('the schedule of the package has no problem', async (t) => {
  const { url } = await createDatabase(t)

  const problems = await findProblems(url)

  t.deepEqual(summary(problems), fresh, JSON.stringify(problems))
})

test('what every line of the schedule leaves out is no problem, and what one of them counts is one', async (t) => {
  const { url, sql, createRole } = await createDatabase(t)
  const role = await createRole()
  await sql.unsafe(`
    create table public.orders (id int);
    create table public.secret (id int);
    alter function nms.collect_table_metrics owner to ${role.name};
    grant select on public.orders to ${role.name};
  `)
  const without = `0 5 * * * collect_table_metrics ?id=without {exclude: ["public.secret"]}`
  const judged = async (...lines: string[]) =>
    (await findProblems(url, await crontab(t, ...lines)))
      .filter(({ problem }) => problem === 'table_not_readable')
      .map(({ subject }) => subject)

  t.deepEqual(await judged(without), [])
  t.deepEqual(await judged(without, daily), ['public.secret'])
  t.deepEqual(await judged(daily, daily.replace('daily', 'again')), ['public.secret'], 'told once')
})

test('a payload in the schedule that jobs would be rejected for is an error', async (t) => {
  const { url } = await createDatabase(t)

  const problems = await findProblems(url, await crontab(t, `${daily} {skip: ["tmp"]}`))

  t.true(only(problems, 'malformed_payload').detail.includes('"skip"'))
})

test('a payload that jsonb cannot hold is shown in a visible form', async (t) => {
  const { url } = await createDatabase(t)

  const problems = await findProblems(url, await crontab(t, `${daily} {exclude: ["public.a\\ud800"]}`))

  t.true(only(problems, 'malformed_payload').detail.includes('public.a\\\\ud800'))
})

test('a look at lines that prune deletes nothing', async (t) => {
  const { url, sql } = await createDatabase(t)
  for (const days of [4000, 0]) await writeRun(sql, await daysAgo(sql, days), { 'public.orders': 3 })

  const problems = await findProblems(url, await crontab(t, daily, weekly))

  t.deepEqual(
    problems.filter(({ severity }) => severity === 'error'),
    [],
  )
  t.is((await sql`select from nms.table_metrics_runs`).length, 2)
})

test.serial('doctor exits with 1 when something must be mended, and says how', async (t) => {
  const { url, sql } = await createDatabase(t)
  await sql`drop function nms.preview_run`

  const { status, stdout, stderr } = await tableMetrics(t, url, ['doctor'])

  t.is(status, 1)
  t.is(stdout, '')
  t.regex(
    stderr,
    /^error: install_incomplete: nms\n {2}.*preview_run\n {2}mend it with:\n {4}table-metrics sql \| psql/,
  )
})

test.serial('doctor exits with 0 for warnings alone', async (t) => {
  const { url } = await createDatabase(t)

  const { status, stderr } = await tableMetrics(t, url, ['doctor', '--crontab', await crontab(t, daily)])

  t.is(status, 0, stderr)
  t.deepEqual(stderr.match(/^\w+: \w+/gm), [
    'warning: no_run_today',
    'warning: nothing_to_count',
    'warning: owned_by_superuser',
  ])
})

test.serial('doctor --json prints an array and nothing else', async (t) => {
  const { url } = await createDatabase(t)

  const { status, stdout, stderr } = await tableMetrics(t, url, [
    'doctor',
    '--json',
    '--crontab',
    await crontab(t, ''),
  ])

  t.is(status, 1)
  t.is(stderr, '')
  const problems = JSON.parse(stdout) as Problem[]
  t.deepEqual(summary(problems), ['error nothing_scheduled', ...fresh])
  for (const problem of problems) {
    t.deepEqual(Object.keys(problem).sort(), ['detail', 'problem', 'remedy', 'severity', 'subject'])
    t.true(Object.values(problem).every((text) => typeof text === 'string' && text.length > 0))
  }
})

test.serial('where nothing is to mend, doctor says so', async (t) => {
  const { url, sql, createRole } = await createDatabase(t)
  const owner = await createRole('bypassrls in role pg_read_all_data')
  await sql.unsafe(`
    create table public.orders (id int);
  `)
  await runAsOwner(sql, owner.name)
  await collect(sql)
  const file = await crontab(t, daily)

  const { status, stderr } = await tableMetrics(t, url, ['doctor', '--crontab', file])

  t.is(status, 0)
  t.is(stderr, 'nothing to mend\n')
  t.is((await tableMetrics(t, url, ['doctor', '--json', '--crontab', file])).stdout, '[]\n')
})

test.serial('of many problems alike doctor shows ten, and says how many there are', async (t) => {
  const { url, sql, createRole } = await createDatabase(t)
  const owner = await createRole()
  await sql.unsafe(`
    do $$
    begin
      for n in 1..17 loop
        execute format('create table public.secret_%s (id int)', n);
      end loop;
    end
    $$;
    alter function nms.collect_table_metrics owner to ${owner.name};
  `)

  const { stderr } = await tableMetrics(t, url, ['doctor', '--crontab', await crontab(t, daily)])

  t.is(stderr.match(/^error: table_not_readable: public/gm)?.length, 10)
  t.regex(stderr, /^error: table_not_readable: 7 more, see doctor --json$/m)
})

test.serial('without DATABASE_URL doctor fails clearly', async (t) => {
  failsClearly(t, await tableMetrics(t, '', ['doctor']), 'DATABASE_URL')
})
