// How a worker ends that was started as people start it: by a shell, by npm, by npx.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ava, { type ExecutionContext } from 'ava'
import { createDatabase } from '../_support/database.ts'
import { eventually, inTime } from '../_support/eventually.ts'
import { holdAt, isGone, prepareShop } from '../_support/moments.ts'
import { isAlive, start } from '../_support/process.ts'
import { addJob, runs } from '../_support/worker.ts'

// Each starts several programs.
const test = ava.serial

const checkout = fileURLToPath(new URL('../..', import.meta.url))
const crontab = fileURLToPath(new URL('../empty_crontab', import.meta.url))
const options = `--log json --crontab ${crontab}`

test('SIGTERM to what the README starts: the worker stops, and the run has FAILED, "stopped"', async (t) => {
  const readme = await readFile(join(checkout, 'README.md'), 'utf8')
  const [, command = ''] = /^(\S+ src\/cli\.ts worker) --once$/m.exec(readme) ?? []
  const { db, worker, backend } = await startCounting(t, 'bash', [
    '-c',
    `${command} ${options} & echo "pid $!"; wait $!`,
  ])
  const pid = Number(/^pid (\d+)$/m.exec(worker.stdout())?.[1])

  process.kill(pid, 'SIGTERM')

  t.is((await inTime(60, worker.finished, 'it has stopped')).status, 0)
  t.false(isAlive(pid))
  await eventually(() => isGone(db, backend), 'its backend has stopped', 60)
  await expectStopped(t, db)
})

const starts = {
  'npm run': async () => ({
    folder: checkout,
    args: ['npm', 'run', '--silent', 'table-metrics', '--', 'worker', ...options.split(' ')],
  }),
  npx: async (t: ExecutionContext) => ({
    folder: await installedPackage(t),
    args: ['npx', 'table-metrics', 'worker', ...options.split(' ')],
  }),
}

for (const [what, prepare] of Object.entries(starts)) {
  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGHUP'] as const) {
    test(`${signal} to ${what}: no worker lives on, and the run has FAILED, "stopped"`, async (t) => {
      const { folder, args } = await prepare(t)
      const { db, worker, backend } = await startCounting(t, 'env', args, folder)

      worker.kill(signal)

      // Whoever lives on would keep the pipe open.
      await inTime(60, worker.finished, 'nobody is left')
      await eventually(() => isGone(db, backend), 'its backend has stopped', 60)
      await expectStopped(t, db)
    })
  }
}

test('a Ctrl-C that npm hands on to a worker that has had it already is one, not two', async (t) => {
  const { folder, args } = await starts['npm run']()
  const { db, worker } = await startCounting(t, 'setsid', args, folder)

  process.kill(-worker.pid, 'SIGINT')

  t.is((await inTime(60, worker.finished, 'it has stopped')).status, 0)
  await expectStopped(t, db)
})

const strangers: Record<string, Record<string, string>> = {
  'a shell': {},
  'a shell that npm has started': { npm_lifecycle_event: 'shell', npm_lifecycle_script: 'bash' },
  'a script of npm': { npm_lifecycle_event: 'up', npm_lifecycle_script: 'sh start.sh &' },
}

for (const [what, env] of Object.entries(strangers)) {
  test(`a worker that ${what} has put into the background goes on alone`, async (t) => {
    const line = `exec 3>&1; nohup node src/cli.ts worker ${options} >&3 2>/dev/null & echo "pid $!"`
    const script = env.npm_lifecycle_script?.endsWith('&') ? `sh start.sh & ${line}` : line
    const { db, worker, release } = await startCounting(t, 'sh', ['-c', script], checkout, env)
    const pid = Number(/^pid (\d+)$/m.exec(worker.stdout())?.[1])
    t.teardown(() => isAlive(pid) && process.kill(pid, 'SIGKILL'))
    t.not(await parentOf(pid), worker.pid, 'the shell has ended')

    // Long enough for whoever looks every second.
    await eventually(
      async () =>
        (
          await db.sql`select from nms.table_metrics_runs where clock_timestamp() > collected_at + interval '4 s'`
        ).length === 1,
      'the run goes on',
      60,
    )
    await release()

    await eventually(async () => (await runs(db))[0]?.status !== 'RUNNING', 'the run has ended', 60)
    t.is((await runs(db))[0]?.status, 'SUCCEEDED')
    t.true(isAlive(pid))
    process.kill(pid, 'SIGTERM')
    await inTime(60, worker.finished, 'it has stopped')
  })
}

/** Starts a program that starts a worker, and waits until that is counting. */
async function startCounting(
  t: ExecutionContext,
  program: string,
  args: string[],
  cwd = checkout,
  env: Record<string, string> = {},
) {
  const db = await createDatabase(t)
  await prepareShop(db)
  const { reached, release } = await holdAt(db, 'counting')
  const worker = start(t, program, args, {
    cwd,
    env: { DATABASE_URL: db.url, HOME: cwd, npm_config_update_notifier: 'false', ...env },
  })
  worker.finished.then(({ stderr }) => t.log(stderr)).catch(() => undefined)
  await addJob(db)
  return { db, worker, backend: await reached(), release }
}

async function expectStopped(t: ExecutionContext, db: Parameters<typeof runs>[0]): Promise<void> {
  const [run] = await runs(db)
  t.is(run?.status, 'FAILED')
  t.regex(run?.error_message ?? '', /^stopped/)
}

/** A folder in which the package is installed, as far as npx looks. */
async function installedPackage(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'installed-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const bin = join(folder, 'node_modules/.bin')
  await mkdir(bin, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"private": true}')
  await writeFile(join(bin, 'table-metrics'), `#!/usr/bin/env node\nimport('${checkout}src/cli.ts')\n`)
  await chmod(join(bin, 'table-metrics'), 0o755)
  return folder
}

async function parentOf(pid: number): Promise<number> {
  return Number(/^PPid:\s*(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])
}
