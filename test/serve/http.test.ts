import { METHODS } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import test from 'ava'
import { buildApp } from '../../src/serve/app.ts'
import { identifyBy } from '../../src/serve/authentication/identify.ts'
import { basicChallenge, bearerChallenge, type Method } from '../../src/serve/authentication/method.ts'
import { encodingFor } from '../../src/serve/compression.ts'
import { Problem } from '../../src/serve/problem.ts'
import { eventually } from '../_support/eventually.ts'
import { createHistory } from '../_support/history.ts'
import { dialRaw, startTestService } from '../_support/service.ts'

const many = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`table_${n}`, n]))
const tokens: Method = {
  challenges: [bearerChallenge, basicChallenge],
  credential: () => undefined,
  identify: () => ({ name: 'nobody', mayRead: false, mayTrigger: false }),
}
const silent = { record: () => undefined }

test('HEAD has the headers of GET, and no body', async (t) => {
  const db = await createHistory(t, { 0: { s: many } })
  const { url, get } = await startTestService(t, db.url)

  for (const path of ['/v1/today', '/v1/openapi.json', '/live', '/nowhere', '/v1/days/2026-02-30']) {
    const [head, whole] = [await fetch(`${url}${path}`, { method: 'HEAD' }), await get(path)]
    t.is(head.status, whole.status, path)
    for (const name of ['etag', 'content-type', 'content-encoding', 'vary', 'cache-control']) {
      t.is(head.headers.get(name), whole.headers.get(name), `${path} ${name}`)
    }
    t.is(await head.text(), '')
  }
})

test('every other method is refused with those that there are, before a body is read', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const { dial } = await startTestService(t, db.url)

  for (const method of METHODS.filter((name) => !/^(CONNECT|GET|HEAD|OPTIONS)$/.test(name))) {
    const { socket, received } = await dial()
    socket.write(`${method} /v1/today HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n{`)
    await eventually(async () => received().includes('"status":405'), `${method} is refused`)
    t.regex(received(), /^HTTP\/1.1 405 .*\r\n/)
    t.regex(received(), /\r\nallow: GET, HEAD, OPTIONS\r\n/)
  }
})

test('OPTIONS tells the methods of a path', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const { url } = await startTestService(t, db.url)

  const response = await fetch(`${url}/v1/runs/1`, { method: 'OPTIONS' })

  t.is(response.status, 204)
  t.is(response.headers.get('allow'), 'GET, HEAD, OPTIONS')
})

test('each encoding has a tag of its own, and what a client has in any of them is not sent again', async (t) => {
  const db = await createHistory(t, { 0: { s: many } })
  const { get } = await startTestService(t, db.url)

  for (const path of ['/v1/today', '/v1/tables', '/v1/runs/1']) {
    const tags = new Set<string>()
    for (const encoding of ['identity', 'gzip', 'br']) {
      const response = await get(path, { 'accept-encoding': encoding })
      t.is(response.headers.get('content-encoding'), encoding === 'identity' ? null : encoding)
      t.true((await response.text()).includes('table_199') || path === '/v1/tables')
      tags.add(response.headers.get('etag') as string)
    }
    t.is(tags.size, 3)
    const [plain = '', zipped = ''] = [...tags]
    t.regex(plain, /^"[\w-]+"$/)
    for (const known of [plain, zipped, `W/${plain}`, `"other", W/${zipped}`, ` ${zipped} ,"x"`, '*']) {
      const response = await get(path, { 'if-none-match': known })
      t.is(response.status, 304, known)
      t.is(await response.text(), '')
      t.truthy(response.headers.get('etag'))
      t.truthy(response.headers.get('cache-control'))
    }
    for (const other of ['"other"', plain.slice(1, -1), `"${plain}"`, '', '"run-99-v1"', '"run-1-v1.zip"']) {
      t.is((await get(path, { 'if-none-match': other })).status, 200, other)
    }
  }
  t.is((await get('/v1/days/1999-01-01', { 'if-none-match': '*' })).status, 404)
})

for (const [accepted, expected] of [
  [undefined, undefined],
  ['', undefined],
  ['gzip', 'gzip'],
  ['GZip', 'gzip'],
  ['br', 'br'],
  ['gzip, br', 'br'],
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip;q=1.0, br;q=0.5', 'gzip'],
  ['br;q=0, gzip', 'gzip'],
  ['br;q=0, *', 'gzip'],
  ['*', 'br'],
  ['*;q=0', undefined],
  ['identity;q=0', undefined],
  ['identity, gzip;q=0.5', undefined],
  ['identity;q=0, gzip', 'gzip'],
  ['gzip;q=0', undefined],
  ['gzip;q=nonsense', undefined],
  ['gzip;q=2', undefined],
  ['gzip ; q = 0.3', 'gzip'],
  ['deflate', undefined],
  [`${'x,'.repeat(5000)}gzip`, 'gzip'],
] as const) {
  test(`Accept-Encoding ${String(accepted).slice(0, 40)} gets ${expected ?? 'it as it is'}`, (t) => {
    t.is(encodingFor(accepted, 100_000), expected)
  })
}

test('a short text is compressed for whoever takes it in no other way', (t) => {
  t.is(encodingFor('gzip', 10), undefined)
  t.is(encodingFor('gzip, identity;q=0', 10), 'gzip')
  t.is(encodingFor('gzip, *;q=0', 10), 'gzip')
})

test('what is compressed is what was counted', async (t) => {
  const db = await createHistory(t, { 0: { s: many } })
  const { dial } = await startTestService(t, db.url)

  for (const [encoding, decompress] of [
    ['gzip', gunzipSync],
    ['br', brotliDecompressSync],
  ] as const) {
    const { socket, closed } = await dial()
    socket.write(
      `GET /v1/today HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: ${encoding}\r\nConnection: close\r\n\r\n`,
    )
    const text = await closed
    const body = Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1')
    t.deepEqual(JSON.parse(decompress(body).toString()).payload, { s: many })
  }
})

test('every answer says what it depends on, also one that tells a problem', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const { url, get } = await startTestService(t, db.url)

  for (const path of ['/v1/today', '/nowhere', '/v1/days/x', '/v1/days/1999-01-01', '/live']) {
    const { headers } = await get(path)
    t.is(headers.get('vary'), 'Authorization, Accept, Accept-Encoding', path)
    t.is(headers.get('x-content-type-options'), 'nosniff')
    t.is(headers.get('access-control-allow-origin'), null)
  }
  t.truthy((await fetch(`${url}/v1/today`, { method: 'POST' })).headers.get('vary'))
})

test('pages of the sites that are named may read, also before anybody says who they are; no other ones', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const origin = 'https://intranet.example.com'
  const authentication = {
    identify: async () => {
      throw new Problem(401, 'saw no token')
    },
  }
  const { url, get } = await startTestService(t, db.url, { origins: [origin], authentication })
  const preflight = (from: string) =>
    fetch(`${url}/v1/today`, {
      method: 'OPTIONS',
      headers: {
        origin: from,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization',
      },
    })

  const allowed = await preflight(origin)
  t.is(allowed.status, 204)
  t.is(allowed.headers.get('access-control-allow-origin'), origin)
  t.regex(allowed.headers.get('access-control-allow-headers') ?? '', /Authorization/)
  t.is(allowed.headers.get('access-control-allow-credentials'), null)
  t.regex(allowed.headers.get('vary') ?? '', /Origin/)
  const refused = await get('/v1/today', { origin })
  t.is(refused.status, 401)
  t.is(refused.headers.get('access-control-allow-origin'), origin)
  t.regex(refused.headers.get('access-control-expose-headers') ?? '', /ETag/)
  for (const other of [
    'https://evil.example.com',
    `${origin}.evil.com`,
    'null',
    `${origin}/`,
    'http://intranet.example.com',
  ]) {
    t.is((await preflight(other)).headers.get('access-control-allow-origin'), null, other)
    t.is((await get('/v1/today', { origin: other })).headers.get('access-control-allow-origin'), null, other)
  }
})

test('whether it lives is told without a token, everything else is not, not even that a path is unknown', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const authentication = {
    identify: async () => {
      throw new Problem(401, 'saw no token', { headers: { 'www-authenticate': 'Bearer' } })
    },
  }
  const { url, get } = await startTestService(t, db.url, { authentication })

  for (const path of ['/live', '/ready']) t.is((await get(path)).status, 200)
  for (const path of ['/v1/today', '/v1/openapi.json', '/nowhere', '/v1/days/x', '/live/x', '//live']) {
    const response = await get(path)
    t.is(response.status, 401, path)
    t.is(response.headers.get('www-authenticate'), 'Bearer')
  }
  t.is((await fetch(`${url}/v1/today`, { method: 'POST', body: 'x' })).status, 401)
})

test('strangers who ask whether it is ready take no more than one turn of the others', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const { dial } = await startTestService(t, db.url)
  const { socket, closed } = await dial()

  socket.write('GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(300))
  socket.write('GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')

  t.is((await closed).match(/HTTP\/1\.1 200 /g)?.length, 301)
  t.is(
    (
      await db.sql`select from pg_stat_activity where application_name = 'table-metrics serve' and datname = current_database()`
    ).length,
    1,
  )
})

test('a slash at the end changes nothing, and a path of no route is told as such', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const { get } = await startTestService(t, db.url)

  for (const path of ['/v1/today/', '/v1/days/', '/v1/runs/1/']) t.is((await get(path)).status, 200, path)
  for (const path of ['/v1', '/v1/today/x', '/v1//today', '/V1/today', '/v1/today%2F', '/v1/runs/1/2']) {
    const response = await get(path)
    t.is(response.status, 404, path)
    t.true((await response.json()).detail.includes('/v1/openapi.json'))
  }
  t.is((await get('/v1/%zz')).status, 400)
  t.is((await get(`/v1/runs/${'1'.repeat(2_000)}`)).status, 414)
})

for (const [what, request, expected] of [
  ['HTTP/1.0', 'GET /live HTTP/1.0\r\n\r\n', /^HTTP\/1\.1 200 [\s\S]*"live"/],
  [
    'an absolute address',
    'GET http://elsewhere/live HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n',
    /^HTTP\/1\.1 200 /,
  ],
  ['no host', 'GET /live HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 /],
  [
    'no HTTP',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc',
    /^HTTP\/1\.1 400 [\s\S]*problem\+json[\s\S]*"status":400/,
  ],
  [
    'headers of 20 KiB',
    `GET /live HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    /^HTTP\/1\.1 431 [\s\S]*"status":431/,
  ],
  [
    'three hundred headers',
    `GET /live HTTP/1.1\r\nHost: localhost\r\n${'a: b\r\n'.repeat(300)}Connection: close\r\n\r\n`,
    /^HTTP\/1\.1 200 /,
  ],
  [
    'an address of 20 KiB',
    `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    /^HTTP\/1\.1 431 /,
  ],
  [
    'two lengths',
    'POST /v1/today HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
    /^HTTP\/1\.1 400 /,
  ],
  [
    'a length and chunks',
    'POST /v1/today HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    /^HTTP\/1\.1 400 /,
  ],
  [
    'an unknown expectation',
    'GET /live HTTP/1.1\r\nHost: localhost\r\nExpect: wonders\r\nConnection: close\r\n\r\n',
    /^HTTP\/1\.1 417 /,
  ],
  [
    'what to expect before a body',
    'POST /v1/today HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 405 /,
  ],
  [
    'three requests at once',
    `${'GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(2)}GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 404 /,
  ],
  [
    'a request with nonsense behind it',
    'GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n\x00\x01nonsense\r\n\r\n',
    /^HTTP\/1\.1 [24]00 /,
  ],
] as const) {
  test(`${what}: is answered, and the service goes on`, async (t) => {
    const app = await buildApp({ authentication: undefined, log: silent }, [
      (scope) => void scope.get('/live', { config: { isOpen: true } }, async () => ({ status: 'live' })),
      (scope) => void scope.get('/v1/today', async () => 'x'),
    ])
    t.teardown(() => app.close())
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as { port: number }
    const { socket, closed } = await dialRaw(t, port)

    socket.write(request, 'latin1')

    t.regex(await closed, expected)
    t.is((await fetch(`http://127.0.0.1:${port}/live`)).status, 200)
  })
}

test('an error of our own ends no process, and tells nobody but the log what it was', async (t) => {
  const reasons: string[] = []
  const log = { record: (event: object) => void reasons.push((event as { reason: string }).reason) }
  const app = await buildApp({ authentication: undefined, log }, [
    (scope) => {
      scope.get('/throws', async () => {
        throw new Error('a secret')
      })
      scope.get('/teapot', async () => {
        throw Object.assign(new Error('a secret'), { statusCode: 418 })
      })
      scope.get('/nothing', async () => {
        throw undefined
      })
      scope.get('/late', async (_, reply) => {
        reply.raw.writeHead(200).write('half')
        throw new Error('a secret')
      })
      scope.get('/twice', async (_, reply) => {
        await reply.send('once')
        throw new Error('a secret')
      })
      // Its formatter finds no description, as for a schema that was not made for it.
      scope.get('/odd', { schema: { querystring: { not: {} } } }, async () => 'x')
    },
  ])
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })

  for (const path of ['/throws', '/teapot', '/nothing']) {
    const response = await fetch(url + path)
    t.is(response.status, 500, path)
    t.notRegex(await response.text(), /secret/)
  }
  await t.throwsAsync(fetch(`${url}/late`).then((response) => response.text()))
  t.is(await (await fetch(`${url}/twice`)).text(), 'once')
  t.true((await fetch(`${url}/odd?a=1`)).status >= 400)
  t.is((await fetch(`${url}/nowhere`)).status, 404)
  t.true(reasons.filter((reason) => reason.includes('a secret')).length >= 3)
})

test('a person without a token is told on the page what to do, a program what it lacks', async (t) => {
  const authentication = identifyBy([tokens], { refused: () => undefined, noticed: () => undefined })
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const { get } = await startTestService(t, db.url, { authentication })

  const page = await get('/', { accept: 'text/html' })
  const problem = await get('/v1/today')

  t.is(page.status, 401)
  t.regex(await page.text(), /expected credentials[\s\S]*a token as the password/)
  t.deepEqual(await problem.json(), { title: 'Unauthorized', status: 401, detail: 'expected credentials' })
})
