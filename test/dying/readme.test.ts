import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import postgres from 'postgres'
import { startTemporaryServer } from '../../demo/embedded/server.ts'
import { migrate } from '../../src/install/migrate.ts'
import { reservePort } from '../_support/ports.ts'
import { renderAsPsql } from '../_support/psql.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const docs = (await readdir(join(project, 'docs'))).filter((name) => name.endsWith('.md'))

test.serial('every block of README.md does what it shows', async (t) => {
  await executeBlocks(t, 'README.md', async () => undefined)
})

for (const name of docs) {
  test.serial(`every block of docs/${name} does what it shows`, async (t) => {
    await executeBlocks(t, `docs/${name}`, prepareHistory)
  })
}

test('every link to a file or a chapter leads there', async (t) => {
  for (const page of ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...docs.map((name) => `docs/${name}`)]) {
    for (const [link, file = '', chapter] of (await read(page)).matchAll(
      /\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g,
    )) {
      const target = file ? join(page, '..', file) : page
      const text = await read(target).catch(() => t.fail(`${page}: ${link} leads to no file`) as never)
      if (chapter && text) t.true(chapters(text).includes(chapter), `${page}: ${link} leads to no chapter`)
    }
  }
})

type Sql = postgres.Sql

async function executeBlocks(
  t: ExecutionContext,
  page: string,
  prepare: (sql: Sql, url: string) => Promise<void>,
): Promise<void> {
  t.timeout(120_000)
  const found = blocks(await read(page))
  t.pass()
  if (found.length === 0) return
  const server = await startTemporaryServer()
  t.teardown(server.stop)
  const url = server.url('shop')
  const sql = await openShop(t, server.url('postgres'), url)
  await prepare(sql, url)
  const folder = await copyProject(t)

  for (const { language, code, shown } of found) {
    const output =
      language === 'sql' ? renderAsPsql(await sql.unsafe(code)) : await runInShell(code, folder, url)
    if (shown) t.true(comparable(output).includes(comparable(shown)), `${code}\nprints\n${output}`)
  }
}

/** The shop as the README has it before its five questions. */
async function prepareHistory(sql: Sql, url: string): Promise<void> {
  const history = blocks(await read('README.md')).find(({ code }) => code.includes('nms.import_run'))
  await migrate(url)
  await sql`select from nms.collect_table_metrics()`
  await sql.unsafe(history?.code as string)
  await sql`select from nms.collect_table_metrics()`
}

/** Lines for cron and pg_cron, which cron.test.ts executes, and what is typed where no test can. */
const notHere = ['crontab', 'pgsql', 'console']

/** The blocks to execute, each with the output that the page shows right after it. */
function blocks(markdown: string): { language: string; code: string; shown?: string }[] {
  const found: { language: string; code: string; shown?: string }[] = []
  for (const [, language = '', code = ''] of markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
    const last = found.at(-1)
    if (notHere.includes(language)) continue
    if (language !== 'text') found.push({ language, code })
    else if (last) last.shown = code
  }
  return found
}

/** The names by which GitHub knows the chapters of a page. */
function chapters(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

/** What may differ from one execution to the next is made alike. */
function comparable(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?)?)?/g, 'DATE')
    .replace(/took [\d.]+ s/g, 'took TIME')
    .replace(/ +$/gm, '')
    .trim()
}

async function openShop(t: ExecutionContext, adminUrl: string, url: string): Promise<Sql> {
  const admin = postgres(adminUrl, { max: 1 })
  await admin`create role dashboard`
  await admin`create database shop`
  await admin.end()
  const sql = postgres(url, {
    max: 1,
    onnotice: () => undefined,
    types: { date: textual(1082), jsonb: textual(3802) },
  })
  t.teardown(() => sql.end())
  await sql.unsafe(await read('demo/sample/shop.sql'))
  return sql as unknown as Sql
}

function textual(oid: number) {
  return { to: oid, from: [oid], serialize: (value: string) => value, parse: (value: string) => value }
}

async function copyProject(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-readme-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const part of [
    'src',
    'assets',
    'demo',
    'migrations',
    'prometheus',
    'crontab',
    'package.json',
    'test/_support/psql.ts',
  ]) {
    await cp(join(project, part), join(folder, part), { recursive: true, verbatimSymlinks: true })
  }
  await symlink(join(project, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/**
 * As typed, but for four things: the database's URL, `npm ci`, which has run, psql, which may be missing, and the
 * service's port. What runs in the background ends with the block.
 */
async function runInShell(code: string, folder: string, url: string): Promise<string> {
  const port = code.includes('8787') ? String(await reservePort()) : ''
  const script = `
    trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
    ${port && `export PORT=${port}`}
    npm() { [ "$1" = ci ] || command npm "$@"; }
    psql() { node test/_support/psql.ts "$@"; }
    export DATABASE_URL=${/npm start/.test(code) ? '' : `'${url}'`}
    ${code.replace(/^export DATABASE_URL=.*$/m, '').replaceAll('8787', port)}
  `
  const { stdout, stderr } = await run('bash', ['-eo', 'pipefail', '-c', script], { cwd: folder })
  return stdout + stderr
}

function read(path: string): Promise<string> {
  return readFile(join(project, path), 'utf8')
}
