import anyTest, { type TestFn } from 'ava'
import { libraries } from '../_support/libraries.ts'
import { type SecureServer, startSecureServer } from '../_support/secure_server.ts'

const test = anyTest as TestFn<{ server: SecureServer }>

test.before(async (t) => {
  t.context = { server: await startSecureServer() }
})
test.after.always((t) => t.context.server?.stop())

const encrypted = 'in TLS'
const plain = 'in the clear'
const question = `
  select case when ssl then '${encrypted}' else '${plain}' end as outcome
  from pg_stat_ssl where pid = pg_backend_pid()
`

interface Case {
  user?: string
  host?: string
  /** Files are named in angle brackets. */
  parameters: string
  outcome: string | RegExp
  /** What the libpq of this machine does not know, or asks a person for. */
  not?: string
}

const root = 'sslrootcert=<root.crt>'
const client = 'sslcert=<client.crt>&sslkey=<client.key>'
const cases: Case[] = [
  { parameters: '', outcome: encrypted },
  { parameters: 'sslmode=disable', outcome: plain },
  { parameters: 'sslmode=allow', outcome: plain },
  { parameters: 'sslmode=prefer', outcome: encrypted },
  { parameters: 'sslmode=require', outcome: encrypted },
  { parameters: 'ssl=true', outcome: encrypted },
  { parameters: `sslmode=verify-ca&${root}`, outcome: encrypted },
  { parameters: `sslmode=verify-full&${root}`, outcome: encrypted },
  { host: 'localhost', parameters: `sslmode=verify-ca&${root}`, outcome: encrypted },
  { host: 'localhost', parameters: `sslmode=verify-full&${root}`, outcome: /localhost/ },
  { host: 'localhost', parameters: `sslmode=require&${root}`, outcome: encrypted },
  { host: '127.0.0.1', parameters: `sslmode=verify-full&${root}&hostaddr=127.0.0.1`, outcome: encrypted },
  { host: 'elsewhere', parameters: `sslmode=verify-full&${root}&hostaddr=127.0.0.1`, outcome: /elsewhere/ },
  { parameters: 'sslmode=require&sslrootcert=<other.crt>', outcome: /certificate/ },
  { parameters: 'sslmode=verify-ca&sslrootcert=<other.crt>', outcome: /certificate/ },
  { parameters: 'sslmode=prefer&sslrootcert=<other.crt>', outcome: plain },
  { parameters: 'sslmode=verify-ca', outcome: /root\.crt/ },
  { parameters: 'sslmode=verify-full', outcome: /root\.crt/ },
  { parameters: 'sslmode=verify-full&sslrootcert=system', outcome: /certificate/, not: 'libpq' },
  { parameters: 'sslmode=require&sslrootcert=system', outcome: /verify-full/, not: 'libpq' },
  { parameters: `sslmode=verify-ca&${root}&sslcrl=<empty.crl>`, outcome: encrypted },
  { parameters: `sslmode=verify-ca&${root}&sslcrl=<revoked.crl>`, outcome: /revoked/ },
  { parameters: 'sslmode=require&ssl_min_protocol_version=TLSv1.3', outcome: encrypted },
  { parameters: 'sslmode=require&ssl_max_protocol_version=TLSv1.1', outcome: /TLS|SSL|version/ },
  { parameters: 'sslmode=require&sslsni=0', outcome: encrypted },
  { user: 'tls_only', parameters: 'sslmode=disable', outcome: /pg_hba/ },
  { user: 'tls_only', parameters: 'sslmode=allow', outcome: encrypted },
  { user: 'plain_only', parameters: 'sslmode=prefer', outcome: plain },
  { user: 'plain_only', parameters: 'sslmode=require', outcome: /pg_hba/ },
  { user: 'certified', parameters: `sslmode=require&${client}`, outcome: encrypted },
  { user: 'certified', parameters: `sslmode=verify-full&${root}&${client}`, outcome: encrypted },
  { user: 'certified', parameters: 'sslmode=require', outcome: /certificate/ },
  {
    user: 'certified',
    parameters: 'sslmode=require&sslcert=<stranger.crt>&sslkey=<stranger.key>',
    outcome: /certified/,
  },
  { user: 'certified_too', parameters: `sslmode=require&${client}`, outcome: encrypted },
  { user: 'certified_too', parameters: 'sslmode=require', outcome: /certificate/ },
  {
    user: 'certified',
    parameters: 'sslmode=require&sslcert=<client.crt>&sslkey=<client-locked.key>&sslpassword=s3cret',
    outcome: encrypted,
  },
  {
    user: 'certified',
    parameters: 'sslmode=require&sslcert=<client.crt>&sslkey=<client-locked.key>',
    outcome: /sslpassword/,
    not: 'libpq',
  },
  {
    user: 'certified',
    parameters: 'sslmode=require&sslcert=<client.crt>&sslkey=<client.crt>',
    outcome: /key/,
  },
]

for (const { user = 'postgres', host = '127.0.0.1', parameters, outcome, not } of cases) {
  test(`${user}@${host} with ${parameters || 'nothing'}: all that connect come to the same`, async (t) => {
    const { server } = t.context
    const password = user === 'postgres' ? server.password : 's3cret'
    const files = parameters.replaceAll(/<(.+?)>/g, (_, name) => server.file(name))
    const url = `postgres://${user}:${password}@${host}:${server.port}/postgres?${files}`

    for (const [library, ask] of Object.entries(libraries)) {
      if (library === not) continue
      if (typeof outcome === 'string') t.is(await ask(url, question), outcome, library)
      else {
        const error = await t.throwsAsync(() => ask(url, question), undefined, library)
        if (library === 'libpq') continue
        t.regex(error?.message ?? '', outcome, library)
        t.false(error?.message.includes(password), library)
      }
    }
  })
}
