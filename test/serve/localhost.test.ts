import dns from 'node:dns/promises'
import { syncBuiltinESMExports } from 'node:module'
import test from 'ava'
import { startService } from '../../src/serve/serve.ts'

const { lookup } = dns

test.after.always(() => {
  dns.lookup = lookup
  syncBuiltinESMExports()
})

test('without a method localhost has to be an address of loopback as well', async (t) => {
  dns.lookup = (async () => ({ address: '0.0.0.0', family: 4 })) as unknown as typeof lookup
  syncBuiltinESMExports()
  const options = { port: 0, authentication: undefined, log: { record: () => undefined } }

  const service = startService({
    databaseUrl: 'postgres://nobody@127.0.0.1/none',
    host: 'localhost',
    ...options,
  })

  await t.throwsAsync(
    service.then(({ stop }) => t.teardown(stop)),
    { message: /^saw host 0\.0\.0\.0 and no authentication/ },
  )
})
