import { execFileSync } from 'node:child_process'
import test from 'ava'
import { DeliveryError, post } from '../../src/deliver/post.ts'
import { signatureOf } from '../../src/deliver/signature.ts'
import { readWebhook, type Webhook } from '../../src/deliver/webhook.ts'
import { type Answer, hangs, type Received, secretPath, startReceiver } from '../_support/receiver.ts'

const webhookOf = (url: string, more: object = {}) =>
  readWebhook({ ALERT_WEBHOOK_URL: url, ...more }) as Webhook
const message = { id: 'a11ce', body: '{"type": "test", "data": {"rows": 9007199254740993}}' }
const failure = (posting: Promise<void>) =>
  posting.then(
    () => undefined,
    (error) => error,
  )

test('a message arrives as it is, with its id and the time, exact beyond 2^53', async (t) => {
  const receiver = await startReceiver(t)

  await post(webhookOf(receiver.url), message)

  const [{ headers, body, path } = { headers: {}, body: '', path: '' }] = receiver.received
  t.is(body, message.body)
  t.is(path, secretPath)
  t.is(headers['content-type'], 'application/json')
  t.is(headers['webhook-id'], 'a11ce')
  t.true(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000) < 60)
  t.is(headers['webhook-signature'], undefined)
})

test('a signature is that of the example that others publish', (t) => {
  const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')

  const signature = signatureOf(key, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, '{"test": 2432232314}')

  t.is(signature, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=') // docs.svix.com/receiving/verifying-payloads/how-manual
})

test('openssl finds the signature of what has arrived', async (t) => {
  const receiver = await startReceiver(t)
  const key = Buffer.alloc(32, 'key')
  const webhook = webhookOf(receiver.url, { ALERT_WEBHOOK_SECRET: `whsec_${key.toString('base64')}` })

  await post(webhook, message)

  const [{ headers, body }] = receiver.received as [Received]
  const found = execFileSync(
    'openssl',
    ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${key.toString('hex')}`, '-binary'],
    { input: `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}` },
  )
  t.is(headers['webhook-signature'], `v1,${found.toString('base64')}`)
})

for (const [what, answer, isFinal, seconds] of [
  ['408', 408, false, 0],
  ['425', 425, false, 0],
  ['429', 429, false, 0],
  ['500', 500, false, 0],
  ['503', 503, false, 0],
  ['400', 400, true, 0],
  ['401', 401, true, 0],
  ['404', 404, true, 0],
  ['410', 410, true, 0],
  ['a redirect', (response) => response.writeHead(302, { location: '/elsewhere' }).end(), true, 0],
  ['429 with Retry-After', (response) => response.writeHead(429, { 'retry-after': '120' }).end(), false, 120],
  [
    '503 with a Retry-After of a year',
    (response) => response.writeHead(503, { 'retry-after': '31536000' }).end(),
    false,
    86400,
  ],
  [
    '429 with a Retry-After that means nothing',
    (response) => response.writeHead(429, { 'retry-after': 'soon' }).end(),
    false,
    0,
  ],
  ['a connection that breaks', (response) => void response.destroy(), false, 0],
] as [string, Answer, boolean, number][]) {
  test(`${what} is ${isFinal ? 'final' : 'tried again'}, and the reason shows no path`, async (t) => {
    const receiver = await startReceiver(t)
    receiver.answers(answer)

    const error = await failure(post(webhookOf(receiver.url), message))

    t.true(error instanceof DeliveryError)
    t.is(error.isFinal, isFinal)
    t.is(error.retryAfterSeconds, seconds)
    t.notRegex(error.message, /SECRET|what it says|\n/)
    t.is(receiver.received.length, 1)
  })
}

test('a date in Retry-After is a time from now', async (t) => {
  const receiver = await startReceiver(t)
  const date = new Date(Date.now() + 3_600_000).toUTCString()
  receiver.answers((response) => response.writeHead(503, { 'retry-after': date }).end())

  const error = await failure(post(webhookOf(receiver.url), message))

  t.true(error.retryAfterSeconds > 3_000 && error.retryAfterSeconds <= 3_600, `${error.retryAfterSeconds}`)
})

test('a refused connection is tried again, and says by whom it was refused', async (t) => {
  const receiver = await startReceiver(t)
  await receiver.close()

  const error = await failure(post(webhookOf(receiver.url), message))

  t.is(error.isFinal, false)
  t.regex(error.message, /ECONNREFUSED/)
})

test('a receiver that never answers is not waited for', async (t) => {
  const receiver = await startReceiver(t)
  receiver.answers(hangs)

  const error = await failure(post(webhookOf(receiver.url), message))

  t.is(error.message, 'no answer within 10 s')
  t.false(error.isFinal)
})

test('a request ends when the worker stops', async (t) => {
  const receiver = await startReceiver(t)
  receiver.answers(hangs)
  const stop = new AbortController()
  const posting = failure(post(webhookOf(receiver.url), message, stop.signal))
  await receiver.untilReceived(1)

  stop.abort(new Error('stopped by SIGTERM'))

  t.is((await posting).message, 'stopped')
})
