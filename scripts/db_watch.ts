// npm run db:watch: a server with the sample shop, whose install follows each save of a fixture or of current.sql.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { startTemporaryServer } from '../demo/embedded/server.ts'
import { describeError, runMain } from '../src/errors.ts'
import { installScript } from '../src/install/install_script.ts'
import { interruption } from '../src/terminal/interruption.ts'
import { print } from '../src/terminal/output.ts'
import { checkout } from './_migrations/checkout.ts'
import { createFollower } from './_migrations/follow.ts'
import { scratchOn } from './_migrations/scratch.ts'

await runMain(async () => {
  const ended = interruption()
  const server = await startTemporaryServer({ settings: { fsync: 'off' } })
  const { scratch, end } = scratchOn(server)
  try {
    const { url, sql } = await scratch.createDatabase('shop')
    await sql.unsafe(readFileSync(`${checkout}/demo/sample/shop.sql`, 'utf8'))
    await sql.unsafe(await installScript())
    const follow = createFollower(sql)
    await follow().then(say, complain)
    print(`the sample shop follows migrations/fixtures and current.sql until Ctrl-C:\n  psql ${url}`)
    print(`  DATABASE_URL=${url} npm run table-metrics -- collect`)
    while (!ended.aborted) {
      // Rather than being told of changes: editors and git replace files and folders in many ways.
      await sleep(200, undefined, { signal: ended }).catch(() => undefined)
      await follow().then(say, complain)
    }
  } finally {
    await end()
    await server.stop()
  }
})

function say(lines: string[]): void {
  if (lines.length > 0) print(lines.join('\n'))
}

function complain(error: unknown): void {
  console.error(describeError(error))
}
