import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import postgres from 'postgres'
import { serverAccount } from '../../demo/embedded/account.ts'
import { eventually } from './eventually.ts'
import { reservePort } from './ports.ts'
import { start } from './process.ts'

/**
 * Starts pgbouncer in transaction mode in front of the server of a URL, with everything else as it is
 * packaged, and `poolSize` connections to each database. Has the URL by way of it. It is killed at the latest when the test ends.
 */
export async function startPgbouncer(t: ExecutionContext, url: string, poolSize: number) {
  const target = new URL(url)
  const account = await serverAccount()
  const folder = await mkdtemp(join(tmpdir(), 'pgbouncer-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const port = await reservePort()
  const users = join(folder, 'users')
  const config = join(folder, 'pgbouncer.ini')
  await writeFile(users, `"${target.username}" "${decodeURIComponent(target.password)}"\n`)
  await writeFile(
    config,
    `[databases]
* = host=${target.hostname} port=${target.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${poolSize}
admin_users = ${target.username}
`,
  )
  await chmod(folder, 0o755)
  if (account) for (const path of [folder, users, config]) await chown(path, account.uid, account.gid)

  const bouncer = start(t, 'pgbouncer', [config], { cwd: '/', ...account })
  bouncer.finished.catch(() => undefined)
  const pooled = new URL(url)
  pooled.host = `127.0.0.1:${port}`
  const sql = postgres(pooled.href, {
    max: 1,
    prepare: false,
    fetch_types: false,
    onnotice: () => undefined,
  })
  await eventually(async () => (await sql`select 1`).length === 1, 'pgbouncer answers').catch(
    async (error) => {
      throw new Error('pgbouncer does not start: install its package (apt-get install pgbouncer)', {
        cause: error,
      })
    },
  )
  await sql.end()
  return {
    url: pooled.href,
    /** Ends it with all its sessions. */
    async stop() {
      bouncer.kill('SIGTERM')
      await bouncer.finished
    },
  }
}
