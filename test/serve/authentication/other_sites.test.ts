import type { IncomingHttpHeaders } from 'node:http'
import test from 'ava'
import { refuseOtherSites } from '../../../src/serve/authentication/loopback.ts'
import { Problem } from '../../../src/serve/problem.ts'

const host = 'metrics.example.com:8787'

test('pages of other sites may change nothing', (t) => {
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'anything' },
    { origin: 'https://evil.test' },
    { origin: 'https://metrics.example.com' },
    { origin: 'https://evil.test', 'sec-fetch-site': 'same-origin' },
    { origin: 'null' },
    { origin: '' },
  ] as IncomingHttpHeaders[]) {
    const refuse = (method: string) => () => refuseOtherSites(method, { host, ...headers })
    for (const method of ['POST', 'PUT', 'DELETE']) {
      t.is(t.throws<Problem>(refuse(method), { instanceOf: Problem })?.status, 403, JSON.stringify(headers))
    }
    for (const method of ['GET', 'HEAD', 'OPTIONS']) t.notThrows(refuse(method))
  }
})

test('programs, and our own pages, may', (t) => {
  for (const headers of [
    {},
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'same-origin', origin: `http://${host}` },
    { origin: `https://${host}` },
  ]) {
    t.notThrows(() => refuseOtherSites('POST', { host, ...headers }))
  }
})
