import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { createDatabase } from '../_support/database.ts'
import { run } from '../_support/process.ts'
import { fetchNode } from '../_support/versions.ts'

const execute = promisify(execFile)
const project = fileURLToPath(new URL('../..', import.meta.url))

test('the packed package, installed elsewhere, works on each supported Node', async (t) => {
  t.timeout(240_000)
  const host = await install(t)
  const cli = join(host, 'node_modules/nms-table-metrics/dist/cli.js')

  for (const version of ['22.18.0', '24.21.0', '26.10.0'] as const) {
    const node = fetchNode(version)
    const db = await createDatabase(t, 'empty_template')
    await db.sql`create table public.apples as select generate_series(1, 3) as id`
    const cliOn = (...args: string[]) =>
      run(t, node, [cli, ...args], { cwd: host, env: { DATABASE_URL: db.url } })

    const migrated = await cliOn('migrate')
    const collected = await cliOn('collect', '--json')
    const worked = await cliOn('worker', '--once')
    const imported = await run(t, node, ['use.ts'], { cwd: host, env: { DATABASE_URL: db.url } })

    t.is(migrated.status, 0, `${version}: ${migrated.stderr}`)
    t.is(collected.status, 0, `${version}: ${collected.stderr}`)
    t.deepEqual(JSON.parse(collected.stdout).payload, { public: { apples: 3 } })
    t.is(worked.status, 0, `${version}: ${worked.stderr}`)
    t.is(imported.status, 0, `${version}: ${imported.stderr}`)
    t.is(imported.stdout, 'SUCCEEDED collect_table_metrics,prune_table_metrics,send_table_metrics_alerts 1\n')
    const [last] = await db.sql`select status from nms.table_metrics_runs order by run_id desc limit 1`
    t.is(last?.status, 'SUCCEEDED')
  }
})

test('the package has what it needs, and no sources or tests', async (t) => {
  const folder = await packed(t)
  await execute('tar', ['-xzf', (await tarball(folder)) as string], { cwd: folder })
  const files = (await readdir(join(folder, 'package'), { recursive: true })).sort()

  t.deepEqual((await readdir(join(folder, 'package'))).sort(), [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'crontab',
    'dist',
    'migrations',
    'package.json',
  ])
  t.deepEqual(
    files.filter((file) => /(^|[/])(test|bench|demo|sample|embedded)([/.]|$)|(?<!\.d)\.ts$/.test(file)),
    [],
  )
  for (const file of [
    'committed/000001-table-metrics.sql',
    'check_install.sql',
    'check_earlier.sql',
    'roles.sql',
  ]) {
    t.true(files.includes(`migrations/${file}`), file)
  }
})

/** An empty project with the package and, to check types, a TypeScript file that imports it. */
async function install(t: ExecutionContext): Promise<string> {
  const folder = await packed(t)
  const file = await tarball(folder)
  await writeFile(join(folder, 'package.json'), '{"name": "host", "private": true, "type": "module"}')
  await execute('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', file], { cwd: folder })
  await writeFile(
    join(folder, 'use.ts'),
    `import { collectTableMetrics, cronItems, type Run, tasks } from 'nms-table-metrics'
     const run: Run = await collectTableMetrics(process.env.DATABASE_URL as string)
     console.log(run.status, Object.keys(tasks).join(), cronItems.length)
    `,
  )
  await mkdirTypes(folder)
  await execute(
    join(project, 'node_modules/.bin/tsc'),
    ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node', 'use.ts'],
    { cwd: folder },
  ).catch((error: { stdout: string }) => t.fail(error.stdout))
  return folder
}

// A TypeScript project for Node has these.
async function mkdirTypes(folder: string): Promise<void> {
  const types = join(folder, 'node_modules/@types')
  if ((await readdir(types).catch((): string[] => [])).includes('node')) return
  await cp(join(project, 'node_modules/@types/node'), join(types, 'node'), { recursive: true })
}

async function packed(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-package-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  // In a copy: packing builds dist/ anew.
  const copy = join(folder, 'checkout')
  for (const part of [
    'src',
    'migrations',
    'crontab',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
  ]) {
    await cp(join(project, part), join(copy, part), { recursive: true, verbatimSymlinks: true })
  }
  await symlink(join(project, 'node_modules'), join(copy, 'node_modules'))
  await execute('npm', ['pack', '--pack-destination', folder], { cwd: copy })
  await rm(copy, { recursive: true })
  return folder
}

async function tarball(folder: string): Promise<string> {
  const file = (await readdir(folder)).find((name) => name.endsWith('.tgz'))
  return join(folder, file as string)
}
