import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import pg from 'pg'
import { withPgUrl } from '../src/connection/pg.ts'
import { connect } from '../src/database.ts'
import { openPool } from '../src/worker/pool.ts'

const run = promisify(execFile)

/** What everything that connects by a URL is answered to a question with one column `outcome` of text; psql, where there is one. */
export const libraries: Record<string, (url: string, question: string) => Promise<string | undefined>> = {
  async postgres(url, question) {
    const sql = connect(url)
    try {
      const [row] = await sql.unsafe<{ outcome: string }[]>(question)
      return row?.outcome
    } finally {
      await sql.end({ timeout: 1 })
    }
  },
  async pg(url, question) {
    const { pool, close } = openPool(url)
    try {
      return (await pool.query<{ outcome: string }>(question)).rows[0]?.outcome
    } finally {
      await close()
    }
  },
  'graphile-migrate': (url, question) =>
    withPgUrl(url, 'test', async (connectionString) => {
      const pool = new pg.Pool({ connectionString })
      try {
        return (await pool.query<{ outcome: string }>(question)).rows[0]?.outcome
      } finally {
        await pool.end()
      }
    }),
}

if (existsSync('/usr/bin/psql')) {
  libraries.libpq = async (url, question) => {
    const { stdout } = await run('/usr/bin/psql', ['-XAtw', '-c', question, url])
    return stdout.trim()
  }
}
