import { readFile } from 'node:fs/promises'
import test from 'ava'
import { migrationsFolder } from '../../src/install/migrations.ts'
import { startService } from '../../src/serve/serve.ts'
import { startOwnServer } from '../_support/server.ts'

test('where the reader has no right, because it is there for another database, the login asks as itself', async (t) => {
  const server = await startOwnServer()
  t.teardown(server.remove)
  const [withRoles, without] = [await server.createDatabase(t), await server.createDatabase(t)]
  await withRoles.connect().unsafe(await readFile(`${migrationsFolder}/roles.sql`, 'utf8'))

  for (const { url } of [withRoles, without]) {
    const log = { record: () => undefined }
    const service = await startService({
      databaseUrl: url,
      host: '127.0.0.1',
      port: 0,
      authentication: undefined,
      log,
    })
    t.teardown(service.stop)
    t.is((await fetch(`${service.url}/ready`)).status, 200)
    t.is((await fetch(`${service.url}/metrics`)).status, 200)
  }
})
