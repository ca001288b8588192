import { contentOfVariable } from '../environment.ts'

/** Where messages are sent. */
export interface Webhook {
  /** Its path may be a secret: nothing shows more than the origin. */
  url: string
  origin: string
  format: 'slack' | 'json'
  /** Signs messages in the plain form. */
  key?: Buffer
}

type Environment = Record<string, string | undefined>

/**
 * The webhook of ALERT_WEBHOOK_URL, with ALERT_WEBHOOK_SECRET and ALERT_WEBHOOK_FORMAT.
 *
 * @returns undefined when none is configured
 * @throws when what they say cannot be used; never with what may be a secret
 */
export function readWebhook(environment: Environment = process.env): Webhook | undefined {
  const address = contentOfVariable('ALERT_WEBHOOK_URL', environment)
  const secret = contentOfVariable('ALERT_WEBHOOK_SECRET', environment)
  const { ALERT_WEBHOOK_FORMAT: given } = environment
  if (!address) {
    const other = secret ? 'ALERT_WEBHOOK_SECRET' : given ? 'ALERT_WEBHOOK_FORMAT' : undefined
    if (other) throw new Error(`${other}: saw it without ALERT_WEBHOOK_URL, expected both`)
    return undefined
  }
  const url = parseAddress(address.value, address.name)
  if (given && given !== 'slack' && given !== 'json') {
    throw new Error(`ALERT_WEBHOOK_FORMAT: saw ${given}, expected slack or json`)
  }
  const format = (given || (url.hostname === 'hooks.slack.com' ? 'slack' : 'json')) as Webhook['format']
  const key = secret && keyOf(secret.value, secret.name)
  return { url: url.href, origin: url.origin, format, ...(key && { key }) }
}

function parseAddress(value: string, name: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) {
    const seen = url ? `saw one that begins with ${url.protocol}, ` : ''
    throw new Error(`${name}: ${seen}expected a URL such as https://example.com/hooks/alerts`)
  }
  if (url.username || url.password) {
    throw new Error(
      `${name}: saw a user or password in it, expected a URL without: ALERT_WEBHOOK_SECRET signs`,
    )
  }
  return url
}

function keyOf(secret: string, name: string): Buffer {
  const text = secret.replace(/^whsec_/, '')
  const key = Buffer.from(text, 'base64')
  const isWhole = key.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '')
  if (isWhole && key.length >= 24 && key.length <= 64) return key
  throw new Error(
    `${name}: expected whsec_ and 24 to 64 bytes in base64, as made by: echo "whsec_$(openssl rand -base64 32)"`,
  )
}
