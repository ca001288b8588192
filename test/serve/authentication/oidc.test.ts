import test, { type ExecutionContext } from 'ava'
import { base64url, SignJWT, UnsecuredJWT } from 'jose'
import { readAuthentication } from '../../../src/serve/authentication/settings.ts'
import { ask, basic, bearer, type Outcome, statusFor, takeNotes } from '../../_support/callers.ts'
import { makeIssuer, type TestIssuer } from '../../_support/issuer.ts'

const hour = 3600

test('whoever is in the list, and verified by the issuer, may read', async (t) => {
  const { issuer, authentication } = await withIssuer(t)
  t.deepEqual(await ask(authentication, bearer(await issuer.sign())), {
    name: 'jane@example.com',
    mayRead: true,
    mayTrigger: false,
  })
  t.is(await statusFor(authentication, bearer(await issuer.sign({ aud: ['other', 'table-metrics'] }))), 200)
  t.is(await statusFor(authentication, bearer(await issuer.sign({ exp: now() - 20 }))), 200, 'clocks differ')
})

test('a valid signature alone is nobody: 403, and only the log tells why', async (t) => {
  const { issuer, authentication, lines } = await withIssuer(t)
  const nobodies: [claims: Record<string, unknown>, reason: string][] = [
    [{ email: 'eve@example.com' }, 'email: "eve@example.com" is not in the list'],
    [{ email: 'Jane@example.com' }, 'email: "Jane@example.com" is not in the list'],
    [{ email: undefined }, 'email: none is not in the list'],
    [{ email: ['jane@example.com'] }, 'email: ["jane@example.com"] is not in the list'],
    [{ email_verified: false }, 'email_verified: saw false of "jane@example.com", expected true'],
    [{ email_verified: 'true' }, 'email_verified: saw "true" of "jane@example.com", expected true'],
    [{ email_verified: undefined }, 'email_verified: saw none of "jane@example.com", expected true'],
  ]
  for (const [claims, reason] of nobodies) {
    const outcome = await ask(authentication, bearer(await issuer.sign(claims)))
    t.deepEqual(asProblem(outcome), { status: 403, detail: generic.known })
    t.is(lines.at(-1), `192.0.2.1: 403 Forbidden: ${reason}`)
  }
})

test('a token that is not as it has to be is unknown: 401, and only the log tells which claim failed', async (t) => {
  const { issuer, authentication, lines } = await withIssuer(t)
  const past = now() - 2 * hour
  const unknown: [claims: Record<string, unknown>, reason: RegExp][] = [
    [{ exp: undefined }, /missing required "exp" claim$/],
    [{ iat: undefined }, /missing required "iat" claim$/],
    [{ aud: undefined }, /missing required "aud" claim$/],
    [{ exp: past }, /"exp" claim timestamp check failed: saw \d+$/],
    [{ exp: now() - 40 }, /"exp" claim timestamp check failed/],
    [{ nbf: now() + hour }, /"nbf" claim timestamp check failed/],
    [{ exp: '2099-01-01' }, /"exp" claim must be a number: saw "2099-01-01"$/],
    [{ aud: 'somebody else' }, /unexpected "aud" claim value: saw "somebody else"$/],
    [{ aud: 'table-metrics-too' }, /unexpected "aud"/],
    [{ aud: { 'table-metrics': true } }, /unexpected "aud"/],
    [
      { iss: 'https://accounts.google.com' },
      /iss: saw "https:\/\/accounts.google.com", expected http:\/\/127/,
    ],
    [{ iss: `${issuer.url}/` }, /iss: saw/],
    [{ iss: [issuer.url] }, /iss: saw \["http/],
    [{ iss: undefined }, /iss: saw none/],
    [{ iss: 'x'.repeat(5000) }, /^.{0,400}$/],
  ]
  for (const [claims, reason] of unknown) {
    const outcome = await ask(authentication, bearer(await issuer.sign(claims)))
    t.deepEqual(asProblem(outcome), { status: 401, detail: generic.unknown }, String(reason))
    t.regex(lines.at(-1) as string, reason)
  }
  t.is(headersOf(await ask(authentication, {}))['www-authenticate'], 'Bearer realm="table metrics"')
})

test('a token that the issuer has not signed is unknown', async (t) => {
  const { issuer, authentication, lines } = await withIssuer(t)
  const good = await issuer.sign()
  const [header = '', claims = '', signature = ''] = good.split('.')
  const payload = JSON.parse(new TextDecoder().decode(base64url.decode(claims)))
  const headerWith = (more: object) =>
    base64url.encode(JSON.stringify({ alg: 'RS256', kid: 'key-1', ...more }))
  const byPublicKey = new SignJWT(payload)
    .setProtectedHeader({ alg: 'HS256', kid: 'key-1' })
    .sign(new TextEncoder().encode(await issuer.publicKey()))
  const stranger = await makeIssuer(t)
  const forged: [token: string, reason: RegExp][] = [
    [new UnsecuredJWT(payload).encode(), /"alg" \(Algorithm\) Header Parameter value not allowed/],
    [`${headerWith({ alg: 'None' })}.${claims}.`, /value not allowed/],
    [await byPublicKey, /value not allowed/],
    [`${headerWith({ alg: 'PS256' })}.${claims}.${signature}`, /no applicable key|signature/],
    [`${header}.${claims}.`, /signature verification failed|Signature/],
    [`${header}.${claims}.SIGNATURE_REMOVED_BY_GOOGLE`, /signature verification failed/],
    [
      `${header}.${base64url.encode(JSON.stringify({ ...payload, email: 'joe@example.com' }))}.${signature}`,
      /signature verification failed/,
    ],
    [await stranger.sign({ iss: issuer.url }), /signature verification failed/],
    [await stranger.sign({ iss: issuer.url }, { kid: 'unheard of' }), /no applicable key/],
    [
      `${headerWith({ jku: `${stranger.url}/keys` })}.${claims}.${signature}`,
      /signature verification failed/,
    ],
    [`${headerWith({ crit: ['b64'], b64: false })}.${claims}.${signature}`, /unencoded|signature/],
    [`${headerWith({ crit: ['x'], x: 1 })}.${claims}.${signature}`, /Extension Header Parameter "x"/],
    ['a.b.c', /payload/],
    ['..', /JWT|payload/],
    [`${header}.${base64url.encode('[]')}.${signature}`, /JWT/],
    [`${header}.${base64url.encode('null')}.${signature}`, /JWT/],
    [`${header}.${claims}.${signature}.more.parts`, /neither of a scheme nor of a form/],
    ['no-token-of-a-file-either', /neither of a scheme nor of a form/],
  ]
  for (const [token, reason] of forged) {
    const outcome = await ask(authentication, bearer(token))
    t.deepEqual(asProblem(outcome), { status: 401, detail: generic.unknown }, token)
    t.regex(lines.at(-1) as string, reason)
  }
  t.is(await statusFor(authentication, basic(`jane:${good}`)), 401)
  t.is(await statusFor(authentication, bearer(good)), 200)
})

test('claims may say who is let in: all of them, and a value among several is one', async (t) => {
  const issuer = await makeIssuer(t)
  await issuer.start()
  const { log } = takeNotes()
  const authentication = readAuthentication({
    environment: {
      SERVE_OIDC_ISSUER: issuer.url,
      SERVE_OIDC_AUDIENCE: 'table-metrics',
      SERVE_OIDC_CLAIMS: 'hd=example.com, groups=data, groups=staff,level=3',
    },
    log,
  })
  const good = { hd: 'example.com', groups: ['staff', 'data', 'cooks'], level: 3, email: undefined }
  t.deepEqual(await ask(authentication, bearer(await issuer.sign(good))), {
    name: '1234',
    mayRead: true,
    mayTrigger: false,
  })
  for (const wrong of [
    { hd: 'example.com.evil.test' },
    { hd: undefined },
    { groups: ['data'] },
    { groups: 'data,staff' },
    { groups: {} },
    { level: 30 },
  ]) {
    t.is(await statusFor(authentication, bearer(await issuer.sign({ ...good, ...wrong }))), 403)
  }
})

test('senders of events may post them, and read nothing', async (t) => {
  const issuer = await makeIssuer(t)
  await issuer.start()
  const authentication = readAuthentication({
    environment: {
      ...settingsFor(
        issuer,
        'SERVE_EVENTS_OIDC',
        'scheduler@project.iam.gserviceaccount.com,both@example.com',
      ),
      ...settingsFor(issuer, 'SERVE_OIDC', 'jane@example.com,both@example.com'),
      SERVE_EVENTS_OIDC_AUDIENCE: 'https://metrics.example.com/v1/events',
    },
    log: takeNotes().log,
  })
  const sender = (claims: Record<string, unknown>) =>
    issuer.sign({ aud: 'https://metrics.example.com/v1/events', ...claims })
  t.deepEqual(
    await ask(authentication, bearer(await sender({ email: 'scheduler@project.iam.gserviceaccount.com' }))),
    { name: 'scheduler@project.iam.gserviceaccount.com', mayRead: false, mayTrigger: true },
  )
  const reader = { name: 'jane@example.com', mayRead: true, mayTrigger: false }
  t.deepEqual(await ask(authentication, bearer(await issuer.sign())), reader)
  t.is(await statusFor(authentication, bearer(await sender({}))), 403, 'readers are no senders')
  const name = 'both@example.com'
  const both = await sender({ email: name, aud: ['table-metrics', 'https://metrics.example.com/v1/events'] })
  t.deepEqual(await ask(authentication, bearer(both)), { name, mayRead: true, mayTrigger: true })
  t.like(await ask(authentication, bearer(await sender({ email: name }))), {
    mayRead: false,
    mayTrigger: true,
  })
})

const generic = {
  unknown: 'these credentials are not accepted: the log of this service says why',
  known: 'this caller is known, and has no right here: the log of this service says why',
}

async function withIssuer(t: ExecutionContext) {
  const issuer = await makeIssuer(t)
  await issuer.start()
  const { log, lines } = takeNotes()
  const environment = settingsFor(issuer, 'SERVE_OIDC', ' jane@example.com , joe@example.com,')
  return { issuer, lines, authentication: readAuthentication({ environment, log }) }
}

function settingsFor(issuer: TestIssuer, prefix: string, emails: string): Record<string, string> {
  return {
    [`${prefix}_ISSUER`]: issuer.url,
    [`${prefix}_AUDIENCE`]: 'table-metrics',
    [`${prefix}_EMAILS`]: emails,
  }
}

function now(): number {
  return Math.floor(Date.now() / 1000)
}

function asProblem(outcome: Outcome) {
  if (!('status' in outcome)) return outcome
  return { status: outcome.status, detail: JSON.parse(outcome.body).detail }
}

function headersOf(outcome: Outcome): Record<string, string> {
  return 'headers' in outcome ? outcome.headers : {}
}
