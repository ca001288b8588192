// Makes the one committed migration anew from the fixtures, without a server: nothing is tried. Until the first
// release only. npm run db:commit does the same, and looks whether it works.
import { writeFileSync } from 'node:fs'
import { runMain } from '../src/errors.ts'
import { blank, currentFile, firstMigration, isReleased } from './_migrations/checkout.ts'
import { remakeFirst } from './_migrations/first.ts'

await runMain(async () => {
  if (isReleased()) throw new Error('released migrations do not change: npm run db:commit -- "why"')
  const { text } = await remakeFirst()
  writeFileSync(firstMigration, text)
  writeFileSync(currentFile, blank)
})
