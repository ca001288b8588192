import test, { type ExecutionContext } from 'ava'
import type { Authentication } from '../../../src/serve/authentication/authentication.ts'
import { identifyBy } from '../../../src/serve/authentication/identify.ts'
import { remoteKeys } from '../../../src/serve/authentication/keys.ts'
import { oidc } from '../../../src/serve/authentication/oidc.ts'
import { verifiedEmails } from '../../../src/serve/authentication/rules.ts'
import { ask, bearer, statusFor, takeNotes } from '../../_support/callers.ts'
import { eventually } from '../../_support/eventually.ts'
import { makeIssuer, type TestIssuer } from '../../_support/issuer.ts'

const hours = 3600_000
let hoursLater = 0

// Of both clocks, only the one that jose asks for the age of keys.
test.before(() => {
  const now = Date.now.bind(Date)
  Date.now = () => now() + hoursLater * hours
})

test.serial('keys are kept for six hours, whether their server lives or not', async (t) => {
  const { issuer, authentication, lines } = await withKeys(t)
  await issuer.start()
  const token = await issuer.sign({ exp: 4_000_000_000 })
  t.is(await statusFor(authentication, bearer(token)), 200)
  t.is(await statusFor(authentication, bearer(token)), 200)
  t.is(issuer.fetches(), 1)
  await issuer.stop()
  t.teardown(() => {
    hoursLater = 0
  })
  hoursLater = 5.9
  t.is(await statusFor(authentication, bearer(token)), 200)
  t.deepEqual(lines, [])
  hoursLater = 6.1
  t.is(await statusFor(authentication, bearer(token)), 503)
  await issuer.start()
  await untilAnswered(authentication, token)
})

test.serial('a new key is fetched when it is first used, and the former one is forgotten', async (t) => {
  const { issuer, authentication } = await withKeys(t)
  await issuer.start()
  const former = await issuer.sign()
  t.is(await statusFor(authentication, bearer(former)), 200)
  await issuer.rotate()
  t.teardown(() => {
    hoursLater = 0
  })
  hoursLater = 0.1
  const signed = await issuer.sign()
  t.is(await statusFor(authentication, bearer(signed)), 200)
  t.is(await statusFor(authentication, bearer(former)), 401)
  t.is(issuer.fetches(), 2)
})

test('while keys cannot be had nobody can tell who asks: 503, not 401', async (t) => {
  const { issuer, authentication, lines } = await withKeys(t)
  const token = await issuer.sign()
  const outcome = await ask(authentication, bearer(token))
  t.like(outcome, { status: 503, headers: { 'retry-after': '5' } })
  t.regex(
    lines[0] as string,
    /503 Service Unavailable: http:.*openid-configuration: fetch failed: .*ECONNREFUSED/,
  )
  await issuer.start()
  await untilAnswered(authentication, token)
})

test('an unknown key after a good fetch is 401, and does not make us ask again at once', async (t) => {
  const { issuer, authentication } = await withKeys(t)
  await issuer.start()
  for (let n = 0; n < 10; n++) {
    t.is(await statusFor(authentication, bearer(await issuer.sign({}, { kid: `unheard of ${n}` }))), 401)
  }
  t.is(issuer.fetches(), 1)
})

test('a server of keys that is down is asked once in five seconds, whoever asks', async (t) => {
  const { issuer, authentication } = await withKeys(t)
  issuer.answer((path, response) => path === '/keys' && Boolean(response.writeHead(500).end()))
  await issuer.start()
  const token = await issuer.sign()
  const statuses = await Promise.all(
    Array.from({ length: 20 }, () => statusFor(authentication, bearer(token))),
  )
  statuses.push(await statusFor(authentication, bearer(token)))
  t.deepEqual(new Set(statuses), new Set([503]))
  t.is(issuer.fetches(), 1)
})

test('whatever a server of keys may answer instead, it is 503', async (t) => {
  const { issuer } = await withKeys(t)
  await issuer.start()
  const elsewhere = JSON.stringify({ issuer: 'https://evil.test', jwks_uri: issuer.keys })
  const answers: [what: string, path: string, head: [number, Record<string, string>], body: string][] = [
    ['an error', '/keys', [500, {}], ''],
    ['no JSON', '/keys', [200, {}], '<html>'],
    ['no keys', '/keys', [200, {}], '{"keys": 7}'],
    ['a way elsewhere', '/keys', [302, { location: '/elsewhere' }], ''],
    ['another issuer', '/.well-known/openid-configuration', [200, {}], elsewhere],
    ['null', '/.well-known/openid-configuration', [200, {}], 'null'],
    ['a list', '/.well-known/openid-configuration', [200, {}], '[]'],
  ]
  for (const [what, path, head, body] of answers) {
    const { authentication } = by(issuer)
    issuer.answer((asked, response) => asked === path && Boolean(response.writeHead(...head).end(body)))
    t.is(await statusFor(authentication, bearer(await issuer.sign())), 503, what)
  }
})

test('keys are fetched over https only', async (t) => {
  const { issuer, authentication, lines } = await withKeys(t)
  await issuer.start()
  issuer.answer((_, response) =>
    Boolean(response.end(JSON.stringify({ issuer: issuer.url, jwks_uri: 'http://keys.example.com/' }))),
  )
  t.is(await statusFor(authentication, bearer(await issuer.sign())), 503)
  t.regex(lines[0] as string, /jwks_uri: saw "http:\/\/keys.example.com\/", expected a URL with https/)
})

test('a server of keys that does not answer is given up', async (t) => {
  const { issuer } = await withKeys(t)
  await issuer.start()
  for (const slow of ['/keys', '/.well-known/openid-configuration']) {
    const { authentication, lines } = by(issuer)
    issuer.answer((path) => path === slow)
    t.is(await statusFor(authentication, bearer(await issuer.sign())), 503)
    t.regex(lines[0] as string, /timed out/)
  }
})

async function withKeys(t: ExecutionContext) {
  const issuer = await makeIssuer(t)
  return { issuer, ...by(issuer) }
}

/** An authentication that has no keys yet. */
function by(issuer: TestIssuer) {
  const { log, lines } = takeNotes()
  const rule = {
    issuer: {
      names: [issuer.url],
      algorithms: ['RS256'],
      keys: remoteKeys({ discoverFor: issuer.url }),
    },
    audience: 'table-metrics',
    whyNot: verifiedEmails(['jane@example.com']),
    mayRead: true,
    mayTrigger: false,
  }
  return { lines, authentication: identifyBy([oidc([rule])], log) }
}

/** Waits while the former failure still counts. */
async function untilAnswered(authentication: Authentication, token: string): Promise<void> {
  await eventually(async () => (await statusFor(authentication, bearer(token))) === 200, 'the keys are there')
}
