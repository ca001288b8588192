import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { readWebhook } from '../../src/deliver/webhook.ts'

const url = 'https://example.com/hooks/S3CRET'
const secret = `whsec_${Buffer.alloc(32, 'S3CRET').toString('base64')}`

test('without a URL there is no webhook', (t) => {
  t.is(readWebhook({}), undefined)
  t.is(readWebhook({ ALERT_WEBHOOK_URL: '' }), undefined)
})

test('the form is Slack’s for a host of Slack’s, and JSON for others, unless told', (t) => {
  const formatOf = (ALERT_WEBHOOK_URL: string, more = {}) =>
    readWebhook({ ALERT_WEBHOOK_URL, ...more })?.format
  t.is(formatOf('https://hooks.slack.com/services/T/B/X'), 'slack')
  t.is(formatOf(url), 'json')
  t.is(formatOf('https://hooks.slack.com.example.com/'), 'json')
  t.is(formatOf(url, { ALERT_WEBHOOK_FORMAT: 'slack' }), 'slack')
  t.is(formatOf('https://hooks.slack.com/services/T/B/X', { ALERT_WEBHOOK_FORMAT: 'json' }), 'json')
})

test('URL and secret may be in files, with a line end', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'webhook-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'url'), `${url}\n`)
  await writeFile(join(folder, 'secret'), `${secret}\n`)

  const webhook = readWebhook({
    ALERT_WEBHOOK_URL_FILE: join(folder, 'url'),
    ALERT_WEBHOOK_SECRET_FILE: join(folder, 'secret'),
  })

  t.like(webhook, { url, origin: 'https://example.com', format: 'json' })
  t.deepEqual(webhook?.key, Buffer.alloc(32, 'S3CRET'))
})

for (const [what, environment, ...words] of [
  ['no URL', { ALERT_WEBHOOK_URL: 'S3CRET' }, 'ALERT_WEBHOOK_URL:', 'https://example.com'],
  ['another scheme', { ALERT_WEBHOOK_URL: 'ftp://example.com/S3CRET' }, 'ftp:', 'https://'],
  ['a password in it', { ALERT_WEBHOOK_URL: 'https://me:S3CRET@example.com/' }, 'password'],
  [
    'URL and file',
    { ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_URL_FILE: '/url' },
    'both',
    'ALERT_WEBHOOK_URL_FILE',
  ],
  ['no such file', { ALERT_WEBHOOK_URL_FILE: '/nowhere/url' }, 'ALERT_WEBHOOK_URL_FILE', 'ENOENT'],
  [
    'an unknown form',
    { ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_FORMAT: 'teams' },
    'saw teams',
    'slack or json',
  ],
  [
    'a short secret',
    { ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_SECRET: 'whsec_S3CRET' },
    'ALERT_WEBHOOK_SECRET',
    'openssl rand',
  ],
  [
    'a secret that is no base64',
    { ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_SECRET: 'S3CRET! and many more words than that' },
    'base64',
  ],
  ['a secret alone', { ALERT_WEBHOOK_SECRET: secret }, 'ALERT_WEBHOOK_SECRET', 'ALERT_WEBHOOK_URL'],
] as [string, Record<string, string>, ...string[]][]) {
  test(`${what}: refused in one line that shows no secret`, (t) => {
    const { message } = t.throws(() => readWebhook(environment)) as Error
    for (const word of words) t.true(message.includes(word), `${word}: ${message}`)
    t.notRegex(message, /S3CRET|\n/)
  })
}
