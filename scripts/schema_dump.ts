// Writes migrations/schema.sql: what a fresh install dumps to, as pg_dump 15 renders it.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import postgres from 'postgres'
import { startTemporaryServer } from '../demo/embedded/server.ts'
import { migrate } from '../src/install/migrate.ts'
import { fetchPostgres } from '../test/_support/versions.ts'

const server = await startTemporaryServer({ binaries: fetchPostgres(15) })
try {
  const sql = postgres(server.url('postgres'))
  await sql`create database fresh`
  await sql.end()
  await migrate(server.url('fresh'))
  const dump = execFileSync(
    'pg_dump',
    ['--schema-only', '--schema=nms', '--schema=nms_private', '--no-owner', server.url('fresh')],
    {
      encoding: 'utf8',
    },
  )
  // Minor versions and the random keys of \restrict differ from one dump to the next.
  const stable = dump.replace(/^(-- Dumped |\\(un)?restrict ).*\n/gm, '')
  writeFileSync(new URL('../migrations/schema.sql', import.meta.url), stable)
} finally {
  await server.stop()
}
