import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { migrate } from '../../src/install/migrate.ts'
import { fetchPostgres } from '../../test/_support/versions.ts'
import { onScratchServer } from './scratch.ts'

/** What a fresh install dumps to, as pg_dump 15 renders it. */
export async function schemaDump(): Promise<string> {
  const program = pgDump()
  const dump = await onScratchServer(async (scratch) => {
    const { url } = await scratch.createDatabase('fresh')
    await migrate(url)
    return execFileSync(
      program,
      ['--schema-only', '--schema=nms', '--schema=nms_private', '--no-owner', url],
      { encoding: 'utf8', maxBuffer: 2 ** 26 },
    )
  }, fetchPostgres(15))
  // Minor versions and the random keys of \restrict differ from one dump to the next.
  return dump.replace(/^(-- Dumped |\\(un)?restrict ).*\n/gm, '')
}

/** It is not among the embedded binaries, and each major version renders some things in its own way. */
function pgDump(): string {
  const debian = '/usr/lib/postgresql/15/bin/pg_dump'
  if (existsSync(debian)) return debian
  let version = 'none'
  try {
    version = execFileSync('pg_dump', ['--version'], { encoding: 'utf8' }).trim()
  } catch {}
  if (/ 15\./.test(version)) return 'pg_dump'
  throw new Error(`it needs pg_dump 15, saw ${version}: apt-get install postgresql-client-15`)
}
