import test, { type ExecutionContext } from 'ava'
import { base64url, type JWTPayload } from 'jose'
import { iap, iapIssuer } from '../../../src/serve/authentication/iap.ts'
import { identifyBy } from '../../../src/serve/authentication/identify.ts'
import { remoteKeys } from '../../../src/serve/authentication/keys.ts'
import { issuerNamed, oidc } from '../../../src/serve/authentication/oidc.ts'
import { listedEmails, verifiedEmails } from '../../../src/serve/authentication/rules.ts'
import { readAuthentication } from '../../../src/serve/authentication/settings.ts'
import { ask, bearer, statusFor, takeNotes } from '../../_support/callers.ts'
import { makeIssuer, type TestIssuer } from '../../_support/issuer.ts'

const google = 'https://accounts.google.com'
const readers = { mayRead: true, mayTrigger: false }

test("Google's tokens bear one of two names, and RS256 only", async (t) => {
  const signer = await withKeysFrom(t, 'RS256')
  const issuer = { ...issuerNamed(google), keys: remoteKeys({ keys: signer.keys }) }
  const authentication = identifyBy(
    [oidc([{ issuer, audience: 'table-metrics', whyNot: verifiedEmails(['jane@example.com']), ...readers }])],
    takeNotes().log,
  )
  for (const iss of [google, 'accounts.google.com']) {
    t.is(await statusFor(authentication, bearer(await signer.sign({ iss }))), 200)
  }
  for (const iss of ['https://accounts.google.com/', 'http://accounts.google.com', 'https://google.com']) {
    t.is(await statusFor(authentication, bearer(await signer.sign({ iss }))), 401)
  }
  t.deepEqual(issuer.algorithms, ['RS256'])
})

test('IAP signs what it adds to a request, for one service', async (t) => {
  const { signer, authentication, lines } = await withIap(t)
  const assertion = (claims: Record<string, unknown> = {}) =>
    signer.sign({
      iss: 'https://cloud.google.com/iap',
      aud: iapAudience,
      email_verified: undefined,
      ...claims,
    })
  const status = async (claims?: Record<string, unknown>) =>
    statusFor(authentication, { 'x-goog-iap-jwt-assertion': await assertion(claims) })
  t.deepEqual(await ask(authentication, { 'x-goog-iap-jwt-assertion': await assertion() }), {
    name: 'jane@example.com',
    ...readers,
  })
  t.is(await status({ aud: '/projects/1/global/backendServices/3' }), 401)
  t.is(await status({ iss: google }), 401)
  t.is(await status({ exp: undefined }), 401)
  t.is(await status({ email: 'eve@example.com' }), 403)
  t.is(await statusFor(authentication, {}), 401)
  t.is(await statusFor(authentication, bearer(await assertion())), 401, 'as a bearer it is not from IAP')
  t.is(await statusFor(authentication, { 'x-goog-iap-jwt-assertion': 'a, b' }), 401)
  t.is(await statusFor(authentication, { 'x-goog-iap-jwt-assertion': '' }), 401)
  t.is(
    await statusFor(authentication, {
      'x-goog-authenticated-user-email': 'accounts.google.com:jane@example.com',
    }),
    401,
  )
  t.true(lines.length > 4)
})

test('IAP signs by ES256 and nothing else', async (t) => {
  const { signer, authentication, lines } = await withIap(t, 'RS256')
  const assertion = await signer.sign({ iss: 'https://cloud.google.com/iap', aud: iapAudience })
  t.is(await statusFor(authentication, { 'x-goog-iap-jwt-assertion': assertion }), 401)
  t.regex(lines[0] as string, /value not allowed/)
})

test('on Cloud Run a token without its signature is one that the platform has verified', async (t) => {
  const { authentication, lines } = onCloudRun()
  t.deepEqual(await ask(authentication, bearer(stripped())), { name: 'jane@example.com', ...readers })
  t.is(await statusFor(authentication, bearer(stripped({ iss: 'accounts.google.com' }))), 200)
  const wrong: [claims: JWTPayload, status: number, reason: RegExp][] = [
    [{ iss: 'https://evil.test' }, 401, /iss: saw "https:\/\/evil.test"/],
    [{ aud: 'https://other.run.app' }, 401, /unexpected "aud" claim value: saw "https:\/\/other/],
    [{ exp: now() - 40 }, 401, /"exp" claim timestamp/],
    [{ email: 'eve@example.com' }, 403, /email: "eve@example.com" is not in the list/],
    [{ email_verified: false }, 403, /email_verified: saw false/],
  ]
  for (const [claims, status, reason] of wrong) {
    t.is(await statusFor(authentication, bearer(stripped(claims))), status)
    t.regex(lines.at(-1) as string, reason)
  }
  for (const claim of ['exp', 'iat', 'aud', 'iss', 'email', 'email_verified']) {
    const status = await statusFor(authentication, bearer(stripped({ [claim]: undefined })))
    t.is(status, claim.startsWith('email') ? 403 : 401, claim)
  }
})

test('what the platform has not looked at is not let in there', async (t) => {
  const { authentication } = onCloudRun()
  const good = stripped()
  const joe = stripped({ email: 'joe@example.com' })
  const eve = stripped({ email: 'eve@example.com' })
  const separate = (token: string) => ({ 'x-serverless-authorization': `Bearer ${token}` })
  t.is(await statusFor(authentication, separate(good)), 200)
  t.is(await statusFor(authentication, { ...bearer(eve), ...separate(good) }), 200)
  t.is(await statusFor(authentication, { ...bearer(good), ...separate(eve) }), 403, 'the other one counts')
  t.like(await ask(authentication, { ...bearer(good), ...separate(joe) }), { name: 'joe@example.com' })
  for (const broken of [good.replace(/[^.]*$/, 'c2lnbmF0dXJl'), good.replace(/[^.]*$/, ''), 'x', '']) {
    t.is(await statusFor(authentication, bearer(broken)), 401)
    t.is(await statusFor(authentication, { ...bearer(good), ...separate(broken) }), 401, broken)
    t.is(await statusFor(authentication, separate(broken)), 401, broken)
  }
  t.is(await statusFor(authentication, { ...bearer(good), 'x-serverless-authorization': '' }), 401)
  t.is(
    await statusFor(authentication, {
      ...bearer(good),
      'x-serverless-authorization': `Bearer ${good}, Bearer ${good}`,
    }),
    401,
  )
})

test("senders' tokens lose their signatures there too", async (t) => {
  const { authentication } = onCloudRun({
    SERVE_EVENTS_OIDC_ISSUER: google,
    SERVE_EVENTS_OIDC_AUDIENCE: 'https://metrics.run.app/v1/events',
    SERVE_EVENTS_OIDC_EMAILS: 'push@project.iam.gserviceaccount.com',
  })
  const push = { email: 'push@project.iam.gserviceaccount.com', aud: 'https://metrics.run.app/v1/events' }
  t.deepEqual(await ask(authentication, bearer(stripped(push))), {
    name: 'push@project.iam.gserviceaccount.com',
    mayRead: false,
    mayTrigger: true,
  })
  t.is(await statusFor(authentication, bearer(stripped({ ...push, aud: 'https://metrics.run.app' }))), 403)
  t.is(await statusFor(authentication, bearer(stripped({ ...push, email: 'jane@example.com' }))), 403)
})

const iapAudience = '/projects/1/global/backendServices/2'

async function withIap(t: ExecutionContext, alg = 'ES256') {
  const signer = await withKeysFrom(t, alg)
  const { log, lines } = takeNotes()
  const rule = {
    issuer: { ...iapIssuer(), keys: remoteKeys({ keys: signer.keys }) },
    audience: iapAudience,
    whyNot: listedEmails(['jane@example.com']),
    ...readers,
  }
  return { signer, lines, authentication: identifyBy([iap(rule)], log) }
}

async function withKeysFrom(t: ExecutionContext, alg: string): Promise<TestIssuer> {
  const signer = await makeIssuer(t, alg)
  await signer.start()
  return signer
}

function onCloudRun(more: Record<string, string> = {}) {
  const { log, lines } = takeNotes()
  const authentication = readAuthentication({
    environment: {
      K_SERVICE: 'metrics',
      SERVE_PLATFORM_AUDIENCE: 'https://metrics.run.app',
      SERVE_PLATFORM_EMAILS: 'jane@example.com,joe@example.com',
      ...more,
    },
    log,
  })
  return { authentication, lines }
}

/** A token as Cloud Run hands it on. */
function stripped(claims: Record<string, unknown> = {}): string {
  const all = {
    iss: google,
    aud: 'https://metrics.run.app',
    iat: now(),
    exp: now() + 3600,
    email: 'jane@example.com',
    email_verified: true,
    ...claims,
  }
  const header = base64url.encode(JSON.stringify({ alg: 'RS256', kid: 'some', typ: 'JWT' }))
  return `${header}.${base64url.encode(JSON.stringify(all))}.SIGNATURE_REMOVED_BY_GOOGLE`
}

function now(): number {
  return Math.floor(Date.now() / 1000)
}
