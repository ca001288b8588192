import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import type { Progress } from '../src/online/progress.ts'
import { ProgressTracker } from '../src/online/progress.ts'
import { progressLine } from '../src/terminal/progress_bar.ts'
import { createDatabase, type TestDatabase } from './_support/database.ts'
import { eventually } from './_support/eventually.ts'
import { start, tableMetrics } from './_support/process.ts'

const some: Progress = {
  tables: 1234,
  allTables: 2022,
  rows: '9007199254740993',
  part: 0.625,
  secondsLeft: 40,
  counting: ['public.orders', 'sales."Order Lines"'],
}
const parts = [
  '[██████░░░░]  62 %',
  '1,234 of 2,022 tables',
  '9,007,199,254,740,993 rows',
  'about 40 s left',
  'counting public.orders, sales."Order Lines"',
]
const whole = parts.join('  ')

test('a progress line has the part, the tables, the rows, the time left, and the tables being counted', (t) => {
  t.is(progressLine(some), whole)
})

test('a progress line is shorter than its terminal is wide, and leaves out the last parts whole', (t) => {
  const lines = ['', ...parts.map((_, n) => parts.slice(0, n + 1).join('  '))]
  for (let width = 1; width <= whole.length + 2; width++) {
    const line = progressLine(some, width)
    const expected = lines.findLast(({ length }) => length < width)
    t.is(line, expected ?? whole, `at ${width} columns`)
  }
})

test('a progress line measures wide characters as a terminal does', (t) => {
  const counting = ['public."注文"'] // 12 letters, 14 columns
  const columns = 'counting public."注文"'.length + 2
  const rest = progressLine({ ...some, counting: [] }).length + 2
  t.false(progressLine({ ...some, counting }, rest + columns).includes('注文'))
  t.true(progressLine({ ...some, counting }, rest + columns + 1).endsWith('public."注文"'))
})

test('a progress line stays one line, and harmless to a terminal, whatever a table is called', (t) => {
  const line = progressLine({ ...some, counting: ['public."a\nb\r\u001b[2J\u0007\u009b"'] })
  t.notRegex(line, /\p{Cc}/u)
  t.regex(line, /counting public\."a/)
})

test('a progress line has no time left while nobody can tell, and shows long ones as people say them', (t) => {
  for (const [secondsLeft, expected] of [
    [undefined, undefined],
    [0, 'about 0 s left'],
    [0.2, 'about 1 s left'],
    [59, 'about 59 s left'],
    [59.5, 'about 60 s left'],
    [60, 'about 1 min left'],
    [61, 'about 2 min left'],
    [3599, 'about 60 min left'],
    [3600, 'about 1 h 0 min left'],
    [3660, 'about 1 h 1 min left'],
    [7199, 'about 2 h 0 min left'],
    [86_400, 'about 24 h 0 min left'],
  ] as const) {
    t.is(/about.*left/.exec(progressLine({ ...some, secondsLeft }))?.[0], expected, String(secondsLeft))
  }
})

test('the bar is full only when everything has been counted', (t) => {
  for (const [part, expected] of [
    [0, '[░░░░░░░░░░]   0 %'],
    [0.005, '[░░░░░░░░░░]   0 %'],
    [0.1, '[█░░░░░░░░░]  10 %'],
    [0.999, '[█████████░]  99 %'],
    [1, '[██████████] 100 %'],
  ] as const) {
    t.true(progressLine({ ...some, part }).startsWith(`${expected}  `), String(part))
  }
})

test('what several sessions have counted is added up exactly, and what is left is what the last one has said', (t) => {
  const told: Progress[] = []
  const tracker = new ProgressTracker((progress) => told.push(progress))
  const step = (counted: [string, string, string], left: [string, string]) =>
    tracker.add({
      tables_counted: counted[0],
      rows_counted: counted[1],
      pages_counted: counted[2],
      tables_left: left[0],
      pages_left: left[1],
    })

  step(['0', '0', '0'], ['5', '1000'])
  step(['2', '9007199254740993', '200'], ['3', '800'])
  step(['1', '10', '300'], ['2', '500'])
  tracker.show(['public.orders'])
  step(['2', '0', '500'], ['0', '0'])

  const line = ({ tables, allTables, rows, part, counting }: Progress) => [
    tables,
    allTables,
    rows,
    part,
    counting,
  ]
  t.deepEqual(told.map(line), [
    [0, 5, '0', 0, []],
    [2, 5, '9007199254740993', 0.2, []],
    [3, 5, '9007199254741003', 0.5, []],
    [3, 5, '9007199254741003', 0.5, ['public.orders']],
    [5, 5, '9007199254741003', 1, ['public.orders']],
  ])
  t.is(told[0]?.secondsLeft, undefined)
  t.is(told.at(-1)?.secondsLeft, 0)
})

/** The largest table takes more than one call's time; the next one lasts until nobody holds the gate. */
const shop = `
  create function public.pass() returns boolean language plpgsql immutable as $$
  begin
    while current_setting('application_name') = 'table-metrics' and not pg_try_advisory_xact_lock_shared(1) loop
      perform pg_sleep(0.02);
    end loop;
    return true;
  end $$;
  create function public.take() returns boolean language plpgsql immutable as $$
  begin
    perform pg_sleep(1.1) where current_setting('application_name') = 'table-metrics';
    return true;
  end $$;
  create table public.events (id integer) with (fillfactor = 10, autovacuum_enabled = off);
  insert into public.events select generate_series(1, 14000);
  create table public.orders (id integer) with (fillfactor = 10, autovacuum_enabled = off);
  insert into public.orders select generate_series(1, 7000);
  create table public.notes as select generate_series(1, 5) as id;
  analyze;
  create index on public.events (id) where public.take();
  create index on public.orders (id) where public.pass();
`

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
const collect = `'${process.execPath}' '${cli}' collect --online`

/** Starts a shell command on a database whose table orders is not counted until `finish`. */
async function startHeld(t: ExecutionContext, { sql, url, connect }: TestDatabase, args: string[]) {
  await sql.unsafe(shop)
  const holder = connect()
  await holder`select pg_advisory_lock(1)`
  const [command, ...rest] = args as [string, ...string[]]
  const running = start(t, command, rest, { env: { DATABASE_URL: url } })
  return {
    shown: (words: string) => eventually(async () => running.stdout().includes(words), `"${words}" is shown`),
    stdout: running.stdout,
    async finish() {
      await holder`select pg_advisory_unlock(1)`
      return running.finished
    },
  }
}

test.serial(
  'a terminal shows a bar that is drawn again in its one line, and taken away in the end',
  async (t) => {
    const db = await createDatabase(t)
    const terminal = ['script', '-qec', `stty cols 150; ${collect}`, '/dev/null']
    const { shown, finish } = await startHeld(t, db, terminal)
    await shown('counting public.events')
    await shown('1 of 3 tables  14,000 rows')
    await shown('counting public.orders')

    const { status, stdout } = await finish()

    t.is(status, 0, stdout)
    const [, ...frames] = stdout.split('\r\u001b[K')
    const report = frames.pop() ?? ''
    for (const frame of frames) t.notRegex(frame, /\p{Cc}/u)
    t.regex(frames[0] ?? '', /^\[░{10}\] {3}0 % {2}0 of 3 tables {2}0 rows/)
    // The largest table has two thirds of the bytes.
    const bar =
      /^\[█{6}░{4}\] {2}6\d % {2}1 of 3 tables {2}14,000 rows {2}about \d+ s left {2}counting public\.orders$/
    t.true(
      frames.some((frame) => bar.test(frame)),
      frames.at(-1),
    )
    t.regex(report, /^table .*run 1: SUCCEEDED/s)
    t.notRegex(report, / of 3 tables/)
  },
)

test.serial('a narrow terminal shows as much as fits into its line', async (t) => {
  const db = await createDatabase(t)
  const terminal = ['script', '-qec', `stty cols 42; ${collect}`, '/dev/null']
  const { shown, finish } = await startHeld(t, db, terminal)
  await shown('1 of 3 tables')

  const { status, stdout } = await finish()

  t.is(status, 0, stdout)
  const frames = stdout.split('\r\u001b[K').slice(1, -1)
  t.true(frames.length > 0)
  for (const frame of frames) t.true(frame.length < 42, frame)
})

test.serial('a pipe gets a line every few seconds and nothing that draws', async (t) => {
  const db = await createDatabase(t)
  const begin = performance.now()
  const { shown, finish } = await startHeld(t, db, ['sh', '-c', `exec ${collect} 2>&1`])
  await shown('counting public.orders\n')

  const { status, stdout } = await finish()

  const seconds = (performance.now() - begin) / 1000
  t.is(status, 0, stdout)
  t.notRegex(stdout.replaceAll('\n', ''), /\p{Cc}/u)
  const lines = stdout.split('\n').filter((line) => line.includes(' of 3 tables'))
  t.true(lines.length >= 1 && lines.length <= seconds / 5, `${lines.length} lines in ${seconds} s`)
  t.true(stdout.includes('run 1: SUCCEEDED'))
})

test.serial('a run that is over soon has no progress in a pipe', async (t) => {
  const { url } = await createDatabase(t)

  const { stdout, stderr } = await tableMetrics(t, url, ['collect', '--online'])

  t.is(stdout, '')
  t.notRegex(stderr.replaceAll('\n', ''), /%| left|\p{Cc}/u)
})

test.serial('--json shows the result and no progress, on a terminal too', async (t) => {
  const db = await createDatabase(t)
  const { finish } = await startHeld(t, db, ['script', '-qec', `${collect} --json 2>/dev/null`, '/dev/null'])
  await eventually(
    async () =>
      (await db.sql`select from nms.table_metrics_measurements where table_name = 'events'`).length === 1,
    'a part is counted',
  )

  const { status, stdout } = await finish()

  t.is(status, 0, stdout)
  t.like(JSON.parse(stdout).run, { run_id: 1, status: 'SUCCEEDED' })
})

test.serial('--json writes no progress to standard error either', async (t) => {
  const db = await createDatabase(t)
  const { finish } = await startHeld(t, db, ['sh', '-c', `exec ${collect} --json 2>&1 >/dev/null`])
  await eventually(
    async () =>
      (
        await db.sql`select from nms.table_metrics_runs where clock_timestamp() > collected_at + interval '6 s'`
      ).length === 1,
    'it has taken longer than a pipe waits for a line',
  )

  const { status, stdout } = await finish()

  t.is(status, 0, stdout)
  t.notRegex(stdout, /%|counting/)
})
