import test from 'ava'
import { rolesScript } from '../_support/reader.ts'
import { startOwnServer } from '../_support/server.ts'
import { startTestService } from '../_support/service.ts'

test('where the reader has no right, because it is there for another database, the login asks as itself', async (t) => {
  const server = await startOwnServer()
  t.teardown(server.remove)
  const [withRoles, without] = [await server.createDatabase(t), await server.createDatabase(t)]
  await withRoles.connect().unsafe(rolesScript)

  for (const { url } of [withRoles, without]) {
    const { get } = await startTestService(t, url)
    t.is((await get('/ready')).status, 200)
    t.is((await get('/metrics')).status, 200)
  }
})
