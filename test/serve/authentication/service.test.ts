import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readAuthentication } from '../../../src/serve/authentication/settings.ts'
import { bearer, takeNotes } from '../../_support/callers.ts'
import { collect, createDatabase } from '../../_support/database.ts'
import { eventually } from '../../_support/eventually.ts'
import { makeIssuer } from '../../_support/issuer.ts'
import { failsClearly, startTableMetrics, tableMetrics } from '../../_support/process.ts'
import { startTestService, type TestService } from '../../_support/service.ts'

const token = 'a-token-of-good-length'

test('a service that others reach does not start without a method', async (t) => {
  const { url } = await createDatabase(t)
  for (const host of ['0.0.0.0', '::', '']) {
    const finished = await tableMetrics(t, url, ['serve', '--host', host, '--port', '0'])
    failsClearly(t, finished, 'no authentication', '127.0.0.1', '--token-file')
  }
  const file = await writeTokens(t, 'short')
  const finished = await tableMetrics(t, url, ['serve', '--port', '0', '--token-file', file])
  failsClearly(t, finished, file, 'line 1', 'at least 16')
  const half = await tableMetrics(t, url, ['serve', '--port', '0'], { SERVE_IAP_EMAILS: 'jane@example.com' })
  failsClearly(t, half, 'SERVE_IAP_AUDIENCE is not set, and SERVE_IAP_EMAILS is')
})

test('the flag and the variable name the file, and refusals go to the log without a token', async (t) => {
  const { url, sql } = await createDatabase(t)
  await collect(sql)
  const file = await writeTokens(t, token)
  for (const [args, environment] of [
    [['--token-file', file], {}],
    [[], { SERVE_TOKENS_FILE: file }],
  ] as [string[], Record<string, string>][]) {
    const service = startTableMetrics(
      t,
      url,
      ['serve', '--host', '0.0.0.0', '--port', '0', ...args],
      environment,
    )
    await eventually(async () => /:\d+\)/.test(service.stderr()), 'it serves')
    const [, port] = /:(\d+)\)/.exec(service.stderr()) ?? []
    const status = async (given: string) =>
      (await fetch(`http://127.0.0.1:${port}/v1/latest`, { headers: bearer(given) })).status
    t.is(await status(token), 200)
    t.is(await status('another-token-of-good-length'), 401)
    await eventually(async () => service.stderr().includes('the token is not one of'), 'the log tells why')
    t.false(service.stderr().includes('of-good-length'))
    service.kill('SIGTERM')
    t.is((await service.finished).status, 0)
  }
})

test('every path but those of health needs credentials, whether it exists or not', async (t) => {
  const { url } = await createDatabase(t)
  const file = await writeTokens(t, token)
  const service = await startTestService(t, url, {
    authentication: readAuthentication({ tokenFile: file, environment: {}, log: takeNotes().log }),
  })
  for (const path of [
    '/',
    '/v1/latest',
    '/v1/openapi.json',
    '/v1/events',
    '/metrics',
    '/nowhere',
    '/%00',
    '//',
  ]) {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH']) {
      const response = await fetch(`${service.url}${path}`, { method })
      t.is(response.status, 401, `${method} ${path}`)
      t.is(
        response.headers.get('www-authenticate'),
        'Basic realm="table metrics", charset="UTF-8", Bearer realm="table metrics"',
      )
      t.is(response.headers.get('cache-control'), 'no-store')
    }
  }
  for (const path of ['/live', '/ready']) t.is((await service.get(path)).status, 200)
  t.is((await service.get('/nowhere', bearer(token))).status, 404)
})

test('senders of events read nothing', async (t) => {
  const { url } = await createDatabase(t)
  const issuer = await makeIssuer(t)
  await issuer.start()
  const service = await startTestService(t, url, {
    authentication: readAuthentication({
      environment: {
        SERVE_EVENTS_OIDC_ISSUER: issuer.url,
        SERVE_EVENTS_OIDC_AUDIENCE: 'table-metrics',
        SERVE_EVENTS_OIDC_EMAILS: 'jane@example.com',
      },
      log: takeNotes().log,
    }),
  })
  const headers = bearer(await issuer.sign())
  for (const path of ['/v1/latest', '/v1/tables', '/v1/openapi.json']) {
    t.is((await service.get(path, headers)).status, 403, path)
    t.is((await fetch(`${service.url}${path}`, { method: 'HEAD', headers })).status, 403, path)
  }
})

test('without a method it answers to names of loopback, and not to pages of others', async (t) => {
  const { url, sql } = await createDatabase(t)
  await collect(sql)
  const service = await startTestService(t, url)
  t.is(await statusOf(service, 'GET', [`Host: localhost:${service.port}`]), 200)
  t.is(await statusOf(service, 'GET', ['Host: evil.test']), 421)
  t.is(
    await statusOf(service, 'GET', [`Host: evil.test:${service.port}`, 'X-Forwarded-Host: localhost']),
    421,
  )
  t.is(await statusOf(service, 'GET', ['Host: localhost', 'Sec-Fetch-Site: cross-site']), 200, 'a link')
  t.is(
    await statusOf(service, 'GET', [
      'Host: localhost',
      'Sec-Fetch-Site: cross-site',
      'Sec-Fetch-Dest: image',
    ]),
    403,
  )
  t.is((await service.get('/v1/latest')).headers.get('cross-origin-resource-policy'), 'same-origin')
  t.is(await statusOf(service, 'POST', ['Host: localhost', 'Sec-Fetch-Site: cross-site']), 403)
  t.is(await statusOf(service, 'POST', ['Host: localhost', 'Origin: http://evil.test']), 403)
})

async function statusOf(service: TestService, method: string, headers: string[]): Promise<number> {
  const { socket, closed } = await service.dial()
  const lines = [`${method} /v1/latest HTTP/1.1`, ...headers, 'Connection: close', 'Content-Length: 0']
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  const [, status] = /^HTTP\/1.1 (\d+) /.exec(await closed) ?? []
  return Number(status)
}

async function writeTokens(t: ExecutionContext, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-tokens-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = join(folder, 'tokens')
  await writeFile(file, text, { mode: 0o600 })
  return file
}
