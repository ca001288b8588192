// Names and messages that would act on a terminal, through everything that prints.
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { createDatabase, type TestDatabase } from '../_support/database.ts'
import { type Finished, run, start, tableMetrics } from '../_support/process.ts'

/** Each acts on a terminal, hides text, or pretends to be a line of ours. */
const hostile = [
  '\u001b[2J\u001b[1;31m',
  '\rrun 99: SUCCEEDED\u001b[K',
  '\nrun 99: SUCCEEDED\n',
  '\u009b2J\u0085\u007f\u0007\u0008',
  '\u202edrawkcab\u2066\u200f\u061c',
  '\u200b\u2060\ufeff\u00ad',
  '\u2028run 99: SUCCEEDED\u2029',
  '\u{e0041}\u{e0042}',
]
const message = hostile.join(' ')
const acting = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u{e0000}-\u{e0fff}]/u

/** Tables with such names, one of which cannot be counted for such a reason, and a history of them. */
async function hostileDatabase(t: ExecutionContext): Promise<TestDatabase> {
  const db = await createDatabase(t)
  const { sql } = db
  for (const [n, name] of hostile.entries()) {
    await sql`create schema ${sql(`s${n}${name}`)}`
    await sql`create table ${sql(`s${n}${name}`)}.${sql(`t${n}${name}`)} (id integer)`
  }
  const [{ literal }] = await sql<[{ literal: string }]>`select quote_literal(${message}::text) as literal`
  await sql.unsafe(`
    create table public.broken (id integer);
    create function public.fail() returns boolean language plpgsql immutable as 'begin return true; end';
    create index on public.broken (id) where public.fail();
    create or replace function public.fail() returns boolean language plpgsql immutable as $$
    begin
      raise exception using message = ${literal}, detail = ${literal}, hint = ${literal};
    end $$;
  `)
  for (let ago = 10; ago > 0; ago--) {
    const payload = Object.fromEntries(
      hostile.map((name, n) => [`s${n}${name}`, { [`t${n}${name}`]: 300 + ago }]),
    )
    await sql`select nms.import_run(nms.business_date() - ${ago}::integer, ${sql.json(payload)})`
  }
  return db
}

async function withResult(t: ExecutionContext): Promise<TestDatabase> {
  const db = await hostileDatabase(t)
  await db.sql`select nms.collect_table_metrics(exclude => '["public.broken"]')`
  return db
}

function staysHarmless(t: ExecutionContext, { stdout, stderr }: Finished): void {
  const lines = `${stdout}\n${stderr}`.split('\n')
  t.deepEqual(
    lines.filter((line) => acting.test(line)).map((line) => JSON.stringify(line)),
    [],
  )
  t.deepEqual(
    lines.filter((line) => line.startsWith('run 99')),
    [],
  )
}

const table = `s0${hostile[0]}.t0${hostile[0]}`

interface Case {
  args: string[]
  /** Without which it has not shown what it should. */
  says: string
  json?: true
}

const cases: [what: string, prepare: (t: ExecutionContext) => Promise<TestDatabase>, cases: Case[]][] = [
  [
    'commands that count',
    hostileDatabase,
    [
      { args: ['collect'], says: 't7' },
      { args: ['collect', '--skip', message, '--exclude', `${message}.x`], says: 'matches nothing' },
      { args: ['collect', '--exclude', message], says: 'exclude: saw' },
      { args: ['collect', '--json'], says: 't7', json: true },
      { args: ['collect', '--log', 'text'], says: 'table not counted' },
      { args: ['collect', '--log', 'json'], says: 'target_failed', json: true },
      { args: ['collect', '--online'], says: 't7' },
      { args: ['collect', '--online', '--log', 'text'], says: 'table not counted' },
    ],
  ],
  [
    'commands that read',
    withResult,
    [
      { args: ['collect', '--dry-run', '--exclude', `${message}.x`], says: 'matches nothing' },
      { args: ['collect', '--dry-run', '--exclude', message], says: 'exclude: saw' },
      { args: ['collect', '--dry-run', '--json'], says: 't7', json: true },
      { args: ['doctor', '--crontab', `/nowhere/${message}`], says: 'crontab_malformed' },
      { args: ['status'], says: 'open alerts: 8' },
      { args: ['status', '--json'], says: 'alerts', json: true },
      { args: ['daily'], says: 's7' },
      { args: ['daily', '--json'], says: 't7', json: true },
      { args: ['diff'], says: 's7' },
      { args: ['diff', '--fail-on', 'any'], says: 's7' },
      { args: ['diff', '--json'], says: 't7', json: true },
      { args: ['trend', table], says: '310 ┤' },
      { args: ['trend', table, `s1${hostile[1]}.t1${hostile[1]}`], says: 't1' },
      { args: ['growth', '--by', 'day'], says: 's7' },
      { args: ['growth', `s1${hostile[1]}.*`, '--by', 'day'], says: 's1' },
      { args: ['report', '--all'], says: 't7' },
      { args: ['status', '--check'], says: 'TABLE METRICS' },
      { args: ['alerts', '--check'], says: 'dropped_to_zero' },
      { args: ['alerts', '--history'], says: 'dropped_to_zero' },
      { args: ['alerts', 'rules', table], says: 't0' },
      { args: ['forecast', table], says: 't0' },
      { args: ['trend', table, '--json'], says: 't0', json: true },
      { args: ['trend', `s1.t2${message}`], says: 'did you mean' },
      { args: ['alerts'], says: 'dropped_to_zero' },
      { args: ['alerts', '--json'], says: 'dropped_to_zero', json: true },
      { args: ['rebuild', 'today'], says: 'the same as before' },
      { args: ['rebuild', 'today', '--json'], says: 't7', json: true },
      { args: ['prune', '--keep-runs', '1d', '--dry-run'], says: 'would be deleted' },
      { args: ['migrate'], says: 'already up to date' },
    ],
  ],
  [
    'commands that read what failed',
    failedRun,
    [
      { args: ['status'], says: 'reason:' },
      { args: ['doctor'], says: 'last_run_failed' },
      { args: ['doctor', '--json'], says: 'last_run_failed', json: true },
    ],
  ],
  [
    'commands that tell of rules, filters and differences',
    withRules,
    [
      { args: ['status'], says: 'differ' },
      { args: ['status', '--json'], says: 'differ', json: true },
      { args: ['doctor'], says: 'count_rule_names_nothing' },
      { args: ['doctor'], says: 'filter_not_counted' },
      { args: ['doctor'], says: 'count_not_maintained' },
      { args: ['doctor', '--json'], says: 'count_differs', json: true },
      { args: ['alerts'], says: 'triggers_changed' },
      { args: ['alerts', '--json'], says: 'triggers_changed', json: true },
      { args: ['trend', table, '--filter', hostile[0] as string], says: 't0' },
      { args: ['trend', table, '--filter', `no${message}`], says: 'filter' },
      { args: ['trend', table, '--bytes'], says: 't0' },
      { args: ['diff'], says: 's7' },
      { args: ['daily', '--json'], says: 't7', json: true },
      { args: ['collect', '--log', 'text'], says: 'succeeded' },
    ],
  ],
  ['a worker', withJob, [{ args: ['worker', '--once'], says: 'run started' }]],
  [
    'a worker with a log for programs',
    withJob,
    [{ args: ['worker', '--once', '--log', 'json'], says: 'target_failed', json: true }],
  ],
  [
    'a worker with arguments',
    createDatabase,
    [
      { args: ['worker', '--once', '--crontab', `/nowhere/${message}`], says: 'error: crontab' },
      { args: ['worker', '--once', '--schema', `w${hostile[3]}`], says: 'own tables are counted' },
    ],
  ],
  [
    'arguments that no command takes',
    createDatabase,
    [
      { args: ['daily', message], says: 'expected a day' },
      { args: ['collect', '--jobs', message], says: 'expected a whole number' },
      { args: ['collect', `--${message}`], says: 'unknown option' },
      { args: [message], says: 'unknown command' },
      { args: ['completion', message], says: 'expected bash, zsh or fish' },
    ],
  ],
  [
    'commands without names of others',
    createDatabase,
    [
      { args: ['completion', 'bash'], says: 'collect' },
      { args: ['sql'], says: 'create schema' },
      { args: ['collect', '--help'], says: '--dry-run' },
    ],
  ],
]

for (const [what, prepare, commands] of cases) {
  test(`${what} print nothing that acts on the terminal`, async (t) => {
    const { url } = await prepare(t)
    for (const { args, says, json } of commands) {
      const finished = await tableMetrics(t, url, args)

      const output = finished.stdout + finished.stderr
      t.true(output.includes(says), `${JSON.stringify(args)} prints ${output}`)
      staysHarmless(t, finished)
      if (json) for (const document of documents(finished.stdout)) t.notThrows(() => JSON.parse(document))
    }
  })
}

test('what --json prints has the names as they are, codes or not', async (t) => {
  const { url } = await withResult(t)

  const { stdout } = await tableMetrics(t, url, ['daily', '--json'])

  const expected = Object.fromEntries(hostile.map((name, n) => [`s${n}${name}`, { [`t${n}${name}`]: 0 }]))
  t.deepEqual(JSON.parse(stdout), expected)
})

test('an error of the server with a detail and a hint is lines of its own that nobody else can write', async (t) => {
  const db = await hostileDatabase(t)
  const [{ literal }] = await db.sql<[{ literal: string }]>`select quote_literal(${message}::text) as literal`
  await db.sql.unsafe(`
    create function public.refuse() returns trigger language plpgsql as $$
    begin
      raise exception using message = ${literal}, detail = ${literal}, hint = ${literal};
    end $$;
    create trigger refuse before insert on nms.table_metrics_runs for each row execute function public.refuse();
  `)

  const finished = await tableMetrics(t, db.url, ['collect'])

  staysHarmless(t, finished)
  const ours = finished.stderr
    .split('\n')
    .filter((line) => line && !/^( {2}|warning: functions of schema nms)/.test(line))
  t.deepEqual(
    ours.map((line) => line.slice(0, 6)),
    ['error:', 'detail', 'hint: '],
  )
})

test('npm start on a database with such names: nothing acts on the terminal', async (t) => {
  const { url } = await withResult(t)
  const script = fileURLToPath(new URL('../../demo/start.ts', import.meta.url))

  const finished = await run(t, process.execPath, [script, '--yes'], { env: { DATABASE_URL: url } })

  t.true(finished.stdout.includes('t7'), finished.stderr)
  staysHarmless(t, finished)
})

test("a worker of somebody else's logs nothing that acts on the terminal", async (t) => {
  const { url } = await withJob(t)
  const tasks = new URL('../../src/worker/tasks.ts', import.meta.url)
  const script = `
    import { runOnce } from 'graphile-worker'
    import { createTasks } from '${tasks}'
    await runOnce({ connectionString: '${url}', taskList: createTasks({ databaseUrl: '${url}' }), noHandleSignals: true })
  `

  const finished = await start(t, process.execPath, ['--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { NO_COLOR: '1', NODE_ENV: 'production' },
  }).finished

  t.true((finished.stdout + finished.stderr).includes('Failed task'), finished.stderr)
  staysHarmless(t, withoutColours(finished))
})

// Graphile-worker paints its own lines.
const colour = '\u001b\\[\\d+m'
const painted = new RegExp(`${colour}(\\w+)${colour}`, 'g')

function withoutColours(finished: Finished): Finished {
  const plain = (text: string) => text.replaceAll(painted, '$1')
  return { ...finished, stdout: plain(finished.stdout), stderr: plain(finished.stderr) }
}

async function failedRun(t: ExecutionContext): Promise<TestDatabase> {
  const db = await hostileDatabase(t)
  await db.sql`select nms.collect_table_metrics()`
  return db
}

/** Two runs with rules, filters and a difference, and a count that is maintained no longer. */
async function withRules(t: ExecutionContext): Promise<TestDatabase> {
  const db = await hostileDatabase(t)
  const { sql } = db
  const [schema, name] = [`s0${hostile[0]}`, `t0${hostile[0]}`]
  await sql`drop table public.broken`
  await sql`update nms.table_metrics_settings set measure_storage = true, payload_version = 2`
  await sql`alter table ${sql(schema)}.${sql(name)} add column ${sql(`c${hostile[2]}`)} integer`
  await sql`
    insert into nms.table_metrics_count_rules (schema_name, table_name, method)
    values (${schema}, ${name}, 'carried'), (${message}, ${message}, 'estimate'), (${`s1${hostile[1]}`}, '*', 'estimate')
  `
  for (const [n, filter] of hostile.entries()) {
    // That of the first has such a column, the others have none.
    const column = n === 0 ? `c${hostile[2]}` : filter
    await sql`
      insert into nms.table_metrics_filters (schema_name, table_name, filter_name, filter)
      values (${schema}, ${name}, ${filter}, ${sql.json({ column, is: 'null' })})
    `
  }
  await sql`
    insert into nms.table_metrics_filters (schema_name, table_name, filter_name, function_name)
    values (${schema}, ${name}, 'function', ${message})
  `
  const other = `s2${hostile[2]}`
  await sql`select nms.maintain_count(format('%I.%I', ${other}::text, ${`t2${hostile[2]}`}::text)::regclass)`
  await sql`select nms.collect_table_metrics()`
  await sql`alter table ${sql(other)}.${sql(`t2${hostile[2]}`)} disable trigger all`
  await sql`
    insert into nms.table_metrics_differences (
      run_id, schema_name, table_name, table_oid, method, claimed_row_count, row_count, detail
    )
    select run_id, schema_name, table_name, table_oid, 'carried', 1, row_count, ${message}
    from nms.table_metrics_measurements
    where schema_name = ${schema} and row_count is not null and method = 'exact'
    limit 1
  `
  await sql`select nms.collect_table_metrics()`
  return db
}

/** A job that fails, in a database that graphile-worker is installed in. */
async function withJob(t: ExecutionContext): Promise<TestDatabase> {
  const db = await hostileDatabase(t)
  await tableMetrics(t, db.url, ['worker', '--once'])
  await db.sql`select graphile_worker.add_job('collect_table_metrics', '{}')`
  return db
}

/** One document, or one a line. */
function documents(stdout: string): string[] {
  return stdout.startsWith('{"level"') || stdout.startsWith('{"time"') ? stdout.trim().split('\n') : [stdout]
}
