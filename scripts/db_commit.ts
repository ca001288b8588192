// npm run db:commit -- "why": freezes what has changed in migrations/fixtures and current.sql, once it has been seen
// to work on a server of its own, and remakes what is generated from it.
import { readFileSync, writeFileSync } from 'node:fs'
import { runMain } from '../src/errors.ts'
import { migrate } from '../src/install/migrate.ts'
import { type Changes, changesOfFixtures, committedFiles } from './_migrations/changes.ts'
import { checkout, currentText, isReleased } from './_migrations/checkout.ts'
import { differences, fingerprint } from './_migrations/fingerprint.ts'
import { allOrNothing, freeze } from './_migrations/freeze.ts'
import { missingGrants } from './_migrations/grants.ts'
import { pendingMigration } from './_migrations/pending.ts'
import { rehearse } from './_migrations/rehearse.ts'
import { schemaDump } from './_migrations/schema_dump.ts'
import { onScratchServer, type Scratch } from './_migrations/scratch.ts'
import { referencePage } from './_reference/page.ts'

await runMain(async () => {
  const message = process.argv.slice(2).join(' ').trim()
  const changes = changesOfFixtures()
  const lines = describe(changes)
  if (lines.length === 0) {
    console.log(
      'nothing has changed: migrations/committed has every fixture as it is, and current.sql is blank',
    )
    return
  }
  if (!message) throw new Error('what is missing is why it changes: npm run db:commit -- "why"')

  const { reference, grants } = await onScratchServer((scratch) => commit(scratch, changes, message))
  console.log(lines.join('\n'))
  console.log(`migrations/committed/${committedFiles().at(-1)}: ${isReleased() ? 'new' : 'made anew'}`)
  console.log('  loads twice, the second time changes nothing; a fresh install is the same as what was tried')
  remake('docs/reference.md', reference)
  await schemaDump().then(
    (dump) => remake('migrations/schema.sql', dump),
    (error: Error) =>
      console.log(`migrations/schema.sql: not remade, ${error.message}; then npm run schema:dump`),
  )
  for (const line of grants) console.log(line)
  console.log(
    `next: git add migrations docs current.sql && git commit -m '${message.replaceAll("'", "'\\''")}'`,
  )
})

async function commit(
  scratch: Scratch,
  changes: Changes,
  message: string,
): Promise<{ reference: string; grants: string[] }> {
  const pending = await pendingMigration(changes)
  const { sql } = await scratch.createDatabase('rehearsal')
  const tried = await rehearse(sql, pending)
  return allOrNothing(async () => {
    await freeze(pending, message, scratch)
    const fresh = await scratch.createDatabase('fresh')
    await migrate(fresh.url)
    await migrate(fresh.url) // as every later update begins
    const different = differences(tried, await fingerprint(fresh.sql))
    if (different.length > 0) {
      throw new Error(`a fresh install differs from what was tried:\n${different.join('\n')}`)
    }
    return {
      reference: await referencePage(fresh.sql),
      grants: await missingGrants(fresh.sql, changes.added),
    }
  })
}

/** What is to be committed, a line each; none when nothing is. */
function describe({ added, changed, gone, edited }: Changes): string[] {
  return [
    ...added.map((name) => `new      ${name}`),
    ...changed.map((name) => `changed  ${name}`),
    ...gone.map((name) => `gone     ${name}`),
    ...edited.map((name) => `edited   committed/${name}`),
    ...(currentText() ? ['pending  current.sql'] : []),
  ]
}

function remake(file: string, text: string): void {
  const path = `${checkout}/${file}`
  const isSame = readFileSync(path, 'utf8') === text
  if (!isSame) writeFileSync(path, text)
  console.log(`${file}: ${isSame ? 'as it was' : 'remade'}`)
}
