import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { readAuthentication } from '../../../src/serve/authentication/settings.ts'
import { ask, bearer, statusFor, takeNotes } from '../../_support/callers.ts'
import { makeIssuer } from '../../_support/issuer.ts'

const oidc = {
  SERVE_OIDC_ISSUER: 'https://accounts.google.com',
  SERVE_OIDC_AUDIENCE: 'table-metrics',
  SERVE_OIDC_EMAILS: 'jane@example.com',
}
const events = {
  SERVE_EVENTS_OIDC_ISSUER: 'https://accounts.google.com',
  SERVE_EVENTS_OIDC_AUDIENCE: 'table-metrics',
  SERVE_EVENTS_OIDC_EMAILS: 'push@project.iam.gserviceaccount.com',
}
const iap = {
  SERVE_IAP_AUDIENCE: '/projects/1/global/backendServices/2',
  SERVE_IAP_EMAILS: 'jane@example.com',
}
const platform = {
  K_SERVICE: 'metrics',
  SERVE_PLATFORM_AUDIENCE: 'https://metrics.run.app',
  SERVE_PLATFORM_EMAILS: 'jane@example.com',
}

test('without settings, and with empty ones, there is no method', (t) => {
  t.is(read({}), undefined)
  t.is(read({ K_SERVICE: 'metrics' }), undefined)
  const empty = Object.keys({ ...oidc, ...events, ...iap, ...platform, SERVE_TOKENS_FILE: '' }).map(
    (name) => [name, ''],
  )
  t.is(read(Object.fromEntries(empty)), undefined)
})

test('half a method is an error that names what is missing', (t) => {
  for (const method of [oidc, events, iap, platform]) {
    t.truthy(read(method))
    for (const name of Object.keys(method).filter((name) => name !== 'K_SERVICE')) {
      const { message } = t.throws(() => read({ ...method, [name]: ' ' })) as Error
      t.true(message.includes(name), message)
      t.false(message.includes('\n'))
    }
  }
  t.throws(() => read({ ...oidc, SERVE_OIDC_EMAILS: undefined }), {
    message: 'SERVE_OIDC_EMAILS is not set, and SERVE_OIDC_ISSUER is: expected both',
  })
  t.throws(() => read({ SERVE_OIDC_CLAIMS: 'hd=example.com' }), {
    message: 'SERVE_OIDC_ISSUER is not set, and SERVE_OIDC_CLAIMS is: expected both',
  })
})

test('a setting that cannot be meant is an error that shows it', (t) => {
  const wrong: [settings: Record<string, string>, message: RegExp][] = [
    [
      { ...oidc, SERVE_OIDC_ISSUER: 'accounts.google.com' },
      /saw "accounts.google.com", expected a URL with https/,
    ],
    [{ ...oidc, SERVE_OIDC_ISSUER: 'http://issuer.example.com' }, /expected a URL with https/],
    [{ ...oidc, SERVE_OIDC_ISSUER: 'https://issuer.example.com/?a' }, /expected a URL with https/],
    [{ ...events, SERVE_EVENTS_OIDC_ISSUER: 'file:///keys' }, /^SERVE_EVENTS_OIDC_ISSUER: saw/],
    [{ ...oidc, SERVE_OIDC_EMAILS: ',' }, /^SERVE_OIDC_EMAILS: saw ",", expected a list/],
    [{ ...oidc, SERVE_OIDC_EMAILS: '*@example.com' }, /saw "\*@example.com", expected addresses such as/],
    [{ ...oidc, SERVE_OIDC_EMAILS: 'jane@example.com joe@example.com' }, /with commas between/],
    [{ ...events, SERVE_EVENTS_OIDC_EMAILS: 'jane' }, /^SERVE_EVENTS_OIDC_EMAILS: saw "jane"/],
    [{ ...iap, SERVE_IAP_EMAILS: 'jane' }, /^SERVE_IAP_EMAILS: saw "jane"/],
    [{ ...platform, SERVE_PLATFORM_EMAILS: 'jane' }, /^SERVE_PLATFORM_EMAILS: saw "jane"/],
    [{ ...iap, SERVE_IAP_AUDIENCE: 'metrics' }, /saw "metrics", expected \/projects\/NUMBER/],
    [{ ...oidc, SERVE_OIDC_CLAIMS: 'hd=example.com' }, /saw both, expected one of them$/],
    [{ ...oidc, SERVE_OIDC_EMAILS: '', SERVE_OIDC_CLAIMS: 'hd' }, /saw "hd", expected claims such as/],
    [{ ...oidc, SERVE_OIDC_EMAILS: '', SERVE_OIDC_CLAIMS: '=x' }, /saw "=x", expected claims/],
    [{ ...oidc, SERVE_OIDC_EMAILS: '', SERVE_OIDC_CLAIMS: 'hd=' }, /saw "hd=", expected claims/],
    [
      { ...oidc, SERVE_OIDC_EMAILS: '', SERVE_OIDC_CLAIMS: 'email=jane@example.com' },
      /saw "email", expected email_verified=true beside it/,
    ],
  ]
  for (const [settings, message] of wrong) t.throws(() => read(settings), { message })
  t.truthy(read({ ...oidc, SERVE_OIDC_ISSUER: 'http://127.0.0.1:1' }))
  t.truthy(read({ ...oidc, SERVE_OIDC_ISSUER: 'https://issuer.example.com/realms/one/' }))
})

test('what has no signature is let in on Cloud Run only, and only where that was asked for', async (t) => {
  t.throws(() => read({ ...platform, K_SERVICE: '' }), {
    message: /^SERVE_PLATFORM_AUDIENCE: saw no K_SERVICE, expected Cloud Run/,
  })
  const claims = { iss: 'https://accounts.google.com', aud: 'table-metrics', iat: 1, exp: 4e9 }
  const [header, payload] = [
    { alg: 'RS256', kid: 'a' },
    { ...claims, email: 'jane@example.com', email_verified: true },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  const token = `${header}.${payload}.SIGNATURE_REMOVED_BY_GOOGLE`
  const settings = { ...platform, SERVE_PLATFORM_AUDIENCE: 'table-metrics' }
  t.is(await statusFor(read(settings), bearer(token)), 200)
  t.is(await statusFor(read({ K_SERVICE: 'metrics', ...iap }), bearer(token)), 401)
})

test('with several methods the first whose credential is there decides', async (t) => {
  const token = 'a-token-of-good-length'
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-settings-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'tokens'), token, { mode: 0o600 })
  const issuer = await makeIssuer(t)
  await issuer.start()
  const settings = { ...oidc, ...iap, ...platform, SERVE_OIDC_ISSUER: issuer.url }
  const authentication = read({ ...settings, SERVE_TOKENS_FILE: join(folder, 'tokens') })
  t.like(await ask(authentication, bearer(token)), { name: 'the token in line 1' })
  t.like(await ask(authentication, bearer(await issuer.sign())), { name: 'jane@example.com' })
  const wrongAssertion = { 'x-goog-iap-jwt-assertion': 'wrong' }
  t.is(await statusFor(authentication, { ...bearer(token), ...wrongAssertion }), 401, 'no second try')
  t.is(await statusFor(authentication, bearer(await issuer.sign({ aud: 'others' }))), 401)
  const outcome = await ask(authentication, {})
  t.like(outcome, {
    status: 401,
    headers: {
      'www-authenticate': 'Basic realm="table metrics", charset="UTF-8", Bearer realm="table metrics"',
    },
  })
})

test('whatever strangers send, they are refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-settings-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'tokens'), 'a-token-of-good-length', { mode: 0o600 })
  const authentication = read({ ...oidc, ...iap, ...platform, SERVE_TOKENS_FILE: join(folder, 'tokens') })
  const base64url = (value: unknown) => Buffer.from(JSON.stringify(value) ?? '').toString('base64url')
  const names = fc.constantFrom(
    'iss',
    'aud',
    'exp',
    'iat',
    'email',
    'email_verified',
    '__proto__',
    'alg',
    'kid',
  )
  const values = fc.oneof(
    fc.constantFrom<unknown>(
      'https://accounts.google.com',
      platform.SERVE_PLATFORM_AUDIENCE,
      4e9,
      true,
      'none',
    ),
    fc.jsonValue(),
  )
  const claims = fc.oneof(fc.dictionary(names, values), fc.jsonValue())
  const jwt = fc
    .tuple(claims, claims, fc.constantFrom('', 'c2ln', 'SIGNATURE_REMOVED_BY_GOOGLE'))
    .map(([header, payload, signature]) => `${base64url(header)}.${base64url(payload)}.${signature}`)
  const credential = fc.oneof(jwt, fc.string({ unit: 'binary' }), fc.base64String())
  const header = fc.oneof(
    fc.tuple(fc.constantFrom('Bearer ', 'Basic ', '', 'Digest '), credential).map((parts) => parts.join('')),
    fc.constant(undefined),
  )
  const property = fc.asyncProperty(header, header, header, async (own, separate, assertion) => {
    const headers = {
      ...(own !== undefined && { authorization: own }),
      ...(separate !== undefined && { 'x-serverless-authorization': separate }),
      ...(assertion !== undefined && { 'x-goog-iap-jwt-assertion': assertion }),
    }
    return [401, 403, 429].includes(await statusFor(authentication, headers))
  })
  await fc.assert(property, { numRuns: 2000 })
  t.pass()
})

test('the flag counts before the variable', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-settings-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'flag'), 'token-of-the-flag-0000', { mode: 0o600 })
  await writeFile(join(folder, 'variable'), 'token-of-the-variable-0', { mode: 0o600 })
  const authentication = readAuthentication({
    tokenFile: join(folder, 'flag'),
    environment: { SERVE_TOKENS_FILE: join(folder, 'variable') },
    log: takeNotes().log,
  })
  t.is(await statusFor(authentication, bearer('token-of-the-flag-0000')), 200)
  t.is(await statusFor(authentication, bearer('token-of-the-variable-0')), 401)
})

function read(environment: Record<string, string | undefined>) {
  return readAuthentication({ environment, log: takeNotes().log })
}
