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

test('pages of other sites may lead here, and load nothing unless they are named', (t) => {
  const origin = 'https://intranet.example.com'
  for (const from of ['cross-site', 'same-site', 'anything']) {
    const elsewhere = { host, 'sec-fetch-site': from }
    t.notThrows(() => refuseOtherSites('GET', { ...elsewhere, 'sec-fetch-dest': 'document' }))
    for (const use of ['empty', 'image', 'script', 'style', 'object', 'embed', 'iframe', 'audio']) {
      const headers = { ...elsewhere, 'sec-fetch-dest': use }
      const refused = t.throws<Problem>(() => refuseOtherSites('GET', headers, [origin]), undefined, use)
      t.is(refused?.status, 403)
      t.throws(() => refuseOtherSites('GET', { ...headers, origin: `${origin}.evil.test` }, [origin]))
      t.notThrows(() => refuseOtherSites('GET', { ...headers, origin }, [origin]))
    }
  }
  for (const from of ['same-origin', 'none']) {
    t.notThrows(() => refuseOtherSites('GET', { host, 'sec-fetch-site': from, 'sec-fetch-dest': 'style' }))
  }
})
