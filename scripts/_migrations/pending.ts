import { committedMigrations } from '../../src/install/migrations.ts'
import { type State, stateIn } from '../../src/install/state.ts'
import type { Changes } from './changes.ts'
import { currentFile, currentText, firstMigration, fixtures, isReleased } from './checkout.ts'
import { compiled, remakeFirst } from './first.ts'
import { compiledScript, type Script } from './script.ts'
import { stateStatement } from './state.ts'

/** What a commit would freeze, and on what it comes. */
export interface Pending {
  /** Bodies of the migrations that stay as they are, oldest first. */
  before: string[]
  script: Script
  /** What becomes of it: the first migration made anew, or what current.sql would have to say. */
  result: { kind: 'first' | 'next'; text: string }
}

// The migrations before may have run in another transaction.
const preamble = '-- Functions may call those that come after them.\nset local check_function_bodies = off;'

/** Until the first release the one migration with everything in it; then current.sql and the fixtures that changed. */
export async function pendingMigration(changes: Changes): Promise<Pending> {
  if (!isReleased()) {
    const { body, text } = await remakeFirst()
    return {
      before: [],
      script: compiledScript(body, [firstMigration, currentFile]),
      result: { kind: 'first', text },
    }
  }
  const [edited] = changes.edited
  if (edited) {
    throw Object.assign(new Error(`migrations/committed/${edited} was released, and is not what it was`), {
      hint: `git checkout migrations/committed/${edited}, and write what changes into current.sql`,
    })
  }
  const before = (await committedMigrations()).map(({ body }) => body)
  const text = await nextMigration([...changes.added, ...changes.changed], stateIn(before.at(-1) ?? ''))
  return {
    before,
    script: compiledScript(await compiled(text), [currentFile]),
    result: { kind: 'next', text },
  }
}

/** What current.sql says comes first; a function or view that it includes by itself has its place there. */
async function nextMigration(changed: string[], former: State | undefined): Promise<string> {
  const current = currentText()
  const missing = fixtures()
    .filter((name) => changed.includes(name) && !current.split('\n').includes(`--!include ${name}`))
    .map((name) => `--!include ${name}`)
  const parts = [current, ...(missing.length > 0 ? [preamble, missing.join('\n')] : [])]
  const text = parts.join('\n\n').trim()
  return text && `${text}\n\n${stateStatement(await compiled(text), former)}`
}
