import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { connect } from '../../src/connection/database.ts'
import { withClient } from '../../src/install/installer_session.ts'
import { openPool } from '../../src/worker/pool.ts'

const run = promisify(execFile)

/** What everything that connects by a URL is answered to a question with one column `outcome` of text; psql, where there is one. */
export const libraries: Record<string, (url: string, question: string) => Promise<string | undefined>> = {
  async postgres(url, question) {
    const sql = connect(url)
    try {
      const results = (await sql.unsafe(question)) as unknown as { outcome: string }[][]
      return results.at(-1)?.[0]?.outcome
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
  migrate: (url, question) =>
    withClient(url, async (client) => (await client.query<{ outcome: string }>(question)).rows[0]?.outcome),
}

if (existsSync('/usr/bin/psql')) {
  libraries.libpq = async (url, question) => {
    const { stdout } = await run('/usr/bin/psql', ['-XAtw', '-c', question, url])
    return stdout.trim()
  }
}
