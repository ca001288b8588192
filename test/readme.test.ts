import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import postgres from 'postgres'
import { startTemporaryServer } from '../demo/embedded/server.ts'
import { renderAsPsql } from './_support/psql.ts'

const project = fileURLToPath(new URL('..', import.meta.url))
const run = promisify(execFile)

test('every block of the README does what it shows', async (t) => {
  t.timeout(120_000)
  const server = await startTemporaryServer()
  t.teardown(server.stop)
  const url = server.url('shop')
  const sql = await openShop(t, server.url('postgres'), url)
  const folder = await copyProject(t)

  for (const { language, code, shown } of blocks(await readFile(join(project, 'README.md'), 'utf8'))) {
    const output =
      language === 'sql' ? renderAsPsql(await sql.unsafe(code)) : await runInShell(code, folder, url)
    if (shown) t.true(comparable(output).includes(comparable(shown)), `${code}\nprints\n${output}`)
  }
})

/** The blocks to execute, each with the output that the README shows right after it. */
function blocks(markdown: string): { language: string; code: string; shown?: string }[] {
  const found: { language: string; code: string; shown?: string }[] = []
  for (const [, language = '', code = ''] of markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
    const last = found.at(-1)
    if (language === 'crontab') continue
    if (language !== 'text') found.push({ language, code })
    else if (last) last.shown = code
  }
  return found
}

/** What may differ from one execution to the next is made alike. */
function comparable(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?/g, 'DATE')
    .replace(/took [\d.]+ s/g, 'took TIME')
    .replace(/ +$/gm, '')
    .trim()
}

async function openShop(t: import('ava').ExecutionContext, adminUrl: string, url: string) {
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
  await sql.unsafe(await readFile(join(project, 'demo/sample/shop.sql'), 'utf8'))
  return sql
}

function textual(oid: number) {
  return { to: oid, from: [oid], serialize: (value: string) => value, parse: (value: string) => value }
}

async function copyProject(t: import('ava').ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-readme-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const part of ['src', 'demo', 'migrations', 'crontab', 'package.json', 'test/_support/psql.ts']) {
    await cp(join(project, part), join(folder, part), { recursive: true, verbatimSymlinks: true })
  }
  await symlink(join(project, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** As typed, but for three things: the database's URL, `npm ci`, which has run, and psql, which may be missing. */
async function runInShell(code: string, folder: string, url: string): Promise<string> {
  const script = `
    npm() { [ "$1" = ci ] || command npm "$@"; }
    psql() { node test/_support/psql.ts "$@"; }
    export DATABASE_URL=${/npm start/.test(code) ? '' : `'${url}'`}
    ${code.replace(/^export DATABASE_URL=.*$/m, '')}
  `
  const { stdout, stderr } = await run('bash', ['-eo', 'pipefail', '-c', script], { cwd: folder })
  return stdout + stderr
}
