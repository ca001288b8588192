import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { commit, Logger } from 'graphile-migrate'
import { migrationsFolder } from '../../src/install/migrations.ts'
import { blank, currentFile, firstMigration } from './checkout.ts'
import type { Pending } from './pending.ts'
import type { Scratch } from './scratch.ts'

/** Writes what is pending into migrations/committed, and resets current.sql. */
export async function freeze({ result }: Pending, message: string, scratch: Scratch): Promise<void> {
  if (result.kind === 'first') {
    writeFileSync(firstMigration, result.text)
    writeFileSync(currentFile, blank)
    return
  }
  writeFileSync(currentFile, `${result.text}\n`)
  const [database, shadow, root] = [
    await scratch.createDatabase('committed'),
    await scratch.createDatabase('shadow'),
    await scratch.createDatabase('root'),
  ]
  await commit(
    {
      connectionString: database.url,
      shadowConnectionString: shadow.url,
      rootConnectionString: root.url,
      migrationsFolder,
      blankMigrationContent: blank,
      logger: new Logger(() => () => undefined),
    },
    message,
  )
}

/** Does work, and leaves current.sql and the committed migrations as they were when it fails. */
export async function allOrNothing<T>(work: () => Promise<T>): Promise<T> {
  const folder = `${migrationsFolder}/committed`
  const current = readFileSync(currentFile)
  const committed = new Map(readdirSync(folder).map((file) => [file, readFileSync(`${folder}/${file}`)]))
  try {
    return await work()
  } catch (error) {
    writeFileSync(currentFile, current)
    for (const file of readdirSync(folder)) {
      const before = committed.get(file)
      if (!before) rmSync(`${folder}/${file}`)
      else if (!before.equals(readFileSync(`${folder}/${file}`))) writeFileSync(`${folder}/${file}`, before)
    }
    throw error
  }
}
