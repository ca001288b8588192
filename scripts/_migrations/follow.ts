import type postgres from 'postgres'
import { changesOfFixtures } from './changes.ts'
import { currentFile, currentText, fixtures, fixtureText } from './checkout.ts'
import { compiled } from './first.ts'
import { load } from './load.ts'
import { rolesScript } from './roles.ts'
import { compiledScript, fixtureScript } from './script.ts'

/**
 * Keeps a database as the files are, from that on which the committed migrations have made. What it returns loads what
 * has changed since the last call that could, all or nothing, and tells what that was. A call after which nothing
 * was saved does nothing, also when there was an error.
 */
export function createFollower(sql: postgres.Sql): () => Promise<string[]> {
  const { added, changed, gone } = changesOfFixtures()
  const loaded: Files = read() ?? new Map()
  for (const name of [...added, ...changed]) loaded.delete(name)
  for (const name of gone) loaded.set(name, '')
  loaded.set('current.sql', '')
  let tried: Files | undefined

  return async () => {
    const files = read()
    if (!files || (tried && isSame(files, tried))) return []
    const isFirst = !tried
    tried = files
    const names = [...files.keys()].filter((name) => loaded.get(name) !== files.get(name))
    const missing = [...loaded.keys()].filter((name) => !files.has(name))
    if (names.length > 0 || isFirst) await sql.begin((transaction) => loadAll(transaction, names))
    for (const name of names) loaded.set(name, files.get(name) ?? '')
    for (const name of missing) loaded.delete(name)
    return [
      ...names.filter((name) => files.get(name) !== '').map((name) => `loaded ${name}`),
      ...missing.map((name) => `gone ${name}: what it has made stays in this database`),
    ]
  }
}

type Files = Map<string, string>

/** In the order in which they are loaded; undefined while a file is being replaced by another. */
function read(): Files | undefined {
  try {
    return new Map([
      ['current.sql', currentText()],
      ...fixtures().map((name): [string, string] => [name, fixtureText(name)]),
      ['roles.sql', rolesScript().text],
    ])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function isSame(a: Files, b: Files): boolean {
  return a.size === b.size && [...a].every(([name, text]) => b.get(name) === text)
}

/** Twice: functions may call those that come after them, and their bodies are checked when all are there. */
async function loadAll(sql: postgres.TransactionSql, names: string[]): Promise<void> {
  const current = compiledScript(await compiled(currentText()), [currentFile])
  for (const isChecked of ['off', 'on']) {
    await sql.unsafe(`set local check_function_bodies = ${isChecked}`)
    for (const name of names) {
      if (name.includes('/')) await load(sql, fixtureScript(name))
      else if (name === 'current.sql') await load(sql, current)
    }
  }
  await load(sql, rolesScript())
}
