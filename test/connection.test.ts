import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { readConnection } from '../src/connection/connection.ts'
import { parseConnectionString } from '../src/connection/parse.ts'
import { failsClearly, run, tableMetrics } from './_support/process.ts'

// What PQconninfoParse() of libpq 15 makes of each.
const readings: Record<string, Record<string, string>> = {
  'postgres://': {},
  'postgresql:///shop': { dbname: 'shop' },
  'postgres://ann@Db.Example:6543/shop': { user: 'ann', host: 'Db.Example', port: '6543', dbname: 'shop' },
  'postgres://ann:a%40b%2Fc%25@h/50%25%20off%2F%C3%A9': {
    user: 'ann',
    password: 'a@b/c%',
    host: 'h',
    dbname: '50% off/é',
  },
  'postgres://ann:a+b#c?d@h/shop': { user: 'ann', password: 'a+b#c?d', host: 'h', dbname: 'shop' },
  'postgres://h/a+b#c': { host: 'h', dbname: 'a+b#c' },
  'postgres://%2Frun%2Fpostgresql:6543/shop': { host: '/run/postgresql', port: '6543', dbname: 'shop' },
  'postgres:///shop?host=/run/postgresql&port=6543': {
    dbname: 'shop',
    host: '/run/postgresql',
    port: '6543',
  },
  'postgres://h1/shop?host=h2&user=eve&dbname=store': { host: 'h2', user: 'eve', dbname: 'store' },
  'postgres://h1:1,[::1]:2,h3/shop': { host: 'h1,::1,h3', port: '1,2,', dbname: 'shop' },
  'postgres://h/shop?options=-c%20a%3D1+2&ssl=true': {
    host: 'h',
    dbname: 'shop',
    options: '-c a=1+2',
    sslmode: 'require',
  },
  'host=h dbname=shop': { host: 'h', dbname: 'shop' },
  " host = '/run/a b'  password='it\\'s \\\\' user=a\\ b port= ": {
    host: '/run/a b',
    password: "it's \\",
    user: 'a b',
    port: '',
  },
}

for (const [text, expected] of Object.entries(readings)) {
  test(`${text} is read as libpq reads it`, (t) => {
    t.deepEqual(Object.fromEntries(parseConnectionString(text)), expected)
  })
}

const secret = 's3cret'

/** What is refused, by the words that say which part is wrong. */
const refused: { text: string; env?: Record<string, string>; words: string[] }[] = [
  { text: `postgres://ann:${secret}%@h/shop`, words: ['the password', '%25'] },
  { text: `postgres://ann:${secret}%zz@h/shop`, words: ['the password', '%25'] },
  { text: `postgres://ann:${secret}%00@h/shop`, words: ['the password'] },
  { text: `postgres://ann:${secret}%E9@h/shop`, words: ['the password', 'UTF-8'] },
  { text: `postgres://an%n:${secret}@h/shop`, words: ['the user', '%25'] },
  { text: `postgres://ann:${secret}@h/50%off`, words: ['the database', '%25'] },
  { text: `postgres://ann:${secret}@%h/shop`, words: ['the host', '%25'] },
  { text: `postgres://ann:${secret}/1@h/shop`, words: ['a port', '%2F'] },
  { text: `postgres://ann:12/${secret}?${secret}=1@h/shop`, words: ['parameter', 'expected one of host'] },
  { text: `postgres://ann:${secret}@h:65536/shop`, words: ['a port', '65535'] },
  { text: `postgres://ann:${secret}@h:1,h:2,h:3/shop?port=1,2`, words: ['2 ports for 3 hosts'] },
  { text: `postgres://ann:${secret}@h`, words: ['without a database'] },
  { text: `postgres://ann:${secret}@h/shop?sslmod=require`, words: ['the parameter sslmod,', 'sslmode'] },
  { text: `postgres://ann:${secret}@h/shop?search_path=a`, words: ['the parameter search_path,', 'options'] },
  { text: `postgres://ann:${secret}@h/shop?sslmode=on`, words: ['sslmode: saw on', 'verify-full'] },
  { text: `postgres://ann:${secret}@h/shop?sslmode`, words: ['sslmode without a value'] },
  { text: `postgres://ann:${secret}@h/shop?options=-c a=b`, words: ['a second = in the parameter options'] },
  { text: `postgres://ann:${secret}@h/shop?target_session_attrs=master`, words: ['saw master', 'primary'] },
  { text: `postgres://ann:${secret}@h/shop?connect_timeout=soon`, words: ['connect_timeout: saw soon'] },
  {
    text: `postgres://ann:${secret}@h/shop?sslrootcert=/nowhere/ca.crt`,
    words: ['sslrootcert: saw /nowhere/ca.crt'],
  },
  {
    text: `postgres://ann:${secret}@h/shop?sslcert=/nowhere/my.crt`,
    words: ['sslcert: saw /nowhere/my.crt'],
  },
  {
    text: `postgres://ann:${secret}@h/shop?sslnegotiation=direct`,
    words: ['sslnegotiation=direct', 'require'],
  },
  { text: `host=h dbname=shop password='${secret}`, words: ['pairs'] },
  { text: `host=h dbname=shop pasword=${secret}`, words: ['the parameter pasword,', 'password'] },
  { text: `mysql://ann:${secret}@h/shop`, words: ['postgres://'] },
  { text: secret, words: ['no URL'] },
  ...Object.entries({
    service: 'shop',
    channel_binding: 'require',
    gssencmode: 'require',
    requirepeer: 'postgres',
    require_auth: 'scram-sha-256',
    tcp_user_timeout: '5000',
    keepalives_interval: '5',
    keepalives_count: '3',
    load_balance_hosts: 'random',
    client_encoding: 'latin1',
    replication: 'database',
    sslcrldir: '/etc/crls',
    sslcertmode: 'require',
    sslcompression: '1',
    requiressl: '1',
    krbsrvname: 'pg',
    min_protocol_version: '3.2',
  }).map(([name, value]) => ({
    text: `postgres://ann:${secret}@h/shop?${name}=${value}`,
    words: [`the parameter ${name} `, 'not supported'],
  })),
  ...Object.entries({
    PGSERVICE: 'shop',
    PGCHANNELBINDING: 'require',
    PGGSSENCMODE: 'require',
    PGREQUIREPEER: 'postgres',
    PGREQUIREAUTH: 'scram-sha-256',
    PGCLIENTENCODING: 'latin1',
    PGLOADBALANCEHOSTS: 'random',
    PGSSLCRLDIR: '/etc/crls',
  }).map(([variable, value]) => ({
    text: `postgres://ann:${secret}@h/shop`,
    env: { [variable]: value },
    words: [variable, 'not supported'],
  })),
]

for (const { text, env = {}, words } of refused) {
  const shown = `${text.replaceAll(secret, '…')} ${Object.keys(env)}`
  test(`${shown} is refused by name, without the password`, (t) => {
    const error = t.throws(() => readConnection(text, env))
    for (const word of words) t.true(error?.message.includes(word), error?.message)
    t.notRegex(error?.message ?? '', /s3cret|\n/)
    t.regex(error?.message ?? '', /saw .*expected /)
  })
}

test('what changes nothing is accepted', (t) => {
  const parameters =
    'client_encoding=UTF8&channel_binding=prefer&gssencmode=disable&tcp_user_timeout=0&keepalives_count=0' +
    '&load_balance_hosts=disable&replication=false&requirepeer=&krbsrvname=postgres&sslcompression=0'
  const env = {
    PGCLIENTENCODING: 'utf-8',
    PGGSSENCMODE: 'prefer',
    PGCHANNELBINDING: 'disable',
    PGSERVICE: '',
  }

  t.is(readConnection(`postgres://h/shop?${parameters}`, env).database, 'shop')
})

test('what the string does not say is taken from the environment, and then from the system', (t) => {
  const env = {
    PGHOST: '/run/pg',
    PGPORT: '6543',
    PGUSER: 'ann',
    PGPASSWORD: secret,
    PGDATABASE: 'shop',
    PGAPPNAME: 'stock taking',
    PGOPTIONS: '-c geqo=off',
    PGTZ: 'Etc/GMT+1',
    PGSSLMODE: 'allow',
    PGCONNECT_TIMEOUT: '1',
    PGTARGETSESSIONATTRS: 'standby',
  }
  const { password, ...all } = readConnection('postgres://', env)
  t.deepEqual(all.addresses, [{ host: '/run/pg', hostaddr: undefined, port: 6543 }])
  t.like(all, {
    user: 'ann',
    database: 'shop',
    applicationName: 'stock taking',
    options: '-c geqo=off -c TimeZone=Etc/GMT+1',
    connectTimeout: 2, // libpq has no shorter one
    targetSession: 'standby',
    tls: { mode: 'allow' },
  })
  t.is(password(all.addresses[0]), secret)

  const said = readConnection('postgres://eve:other@h:1/store?sslmode=disable&application_name=x', env)
  t.like(said, { user: 'eve', database: 'store', applicationName: 'x', tls: { mode: 'disable' } })
  t.deepEqual(said.addresses, [{ host: 'h', hostaddr: undefined, port: 1 }])
  t.is(said.password(said.addresses[0]), 'other')

  const nothing = readConnection('dbname=shop', {})
  t.deepEqual(nothing.addresses, [{ host: '/var/run/postgresql', hostaddr: undefined, port: 5432 }])
  t.like(nothing, { user: userInfo().username, tls: { mode: 'prefer' }, targetSession: 'any' })
})

test('a password file answers for the first line that fits, as libpq reads it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pgpass-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'pgpass')
  await writeFile(
    file,
    [
      '# host:port:database:user:password',
      '#*:*:*:*:never',
      'h:5432:shop',
      'h:5432:shop:ann:one:with\\:colons\\\\',
      'localhost:*:*:ann:by the socket',
      '/run/a\\:b:*:*:*:by another socket',
      '::1:5432:*:ann:never',
      '\\:\\:1:5432:*:ann:by address',
      '*:6543:*:*:p',
    ].join('\n'),
    { mode: 0o600 },
  )
  const passwordOf = (text: string) => {
    const { password, addresses } = readConnection(text, { PGPASSFILE: file })
    return password(addresses[0])
  }

  t.is(passwordOf('postgres://ann@h/shop'), 'one:with:colons\\')
  t.is(passwordOf('postgres://ann@/shop'), 'by the socket')
  t.is(passwordOf('host=/run/a:b user=x dbname=d'), 'by another socket')
  t.is(passwordOf('postgres://ann@[::1]/shop'), 'by address')
  t.is(passwordOf('postgres://x@elsewhere:6543/d'), 'p')
  t.is(passwordOf('postgres://eve@h/shop'), '')
  t.is(passwordOf('postgres://ann:own@h/shop'), 'own')

  await chmod(file, 0o644)
  t.is(passwordOf('postgres://ann@h/shop'), '', 'a file that others may read does not count')
})

test('DATABASE_URL_FILE names a file with the URL', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'url-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'url')
  await writeFile(file, `postgres://ann:${secret}@127.0.0.1:1/50%off\n`)
  const collect = (url: string, path: string) =>
    tableMetrics(t, url, ['collect'], { DATABASE_URL_FILE: path })

  for (const [finished, ...words] of [
    [await collect('', file), 'DATABASE_URL_FILE: saw', 'the database'],
    [await collect('', join(folder, 'none')), 'DATABASE_URL_FILE: ', 'ENOENT'],
    [await collect('postgres://h/d', file), 'both'],
  ] as const) {
    failsClearly(t, finished, ...words)
    t.notRegex(finished.stderr, /s3cret/)
  }
})

test('a private key that others may read is refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'key-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [certificate, key] = [join(folder, 'my.crt'), join(folder, 'my.key')]
  await run(t, 'openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-subj', '/CN=ann', '-keyout', key, '-out', certificate],
  ])
  const { tlsOptions } = await import('../src/connection/tls.ts')
  const options = () => {
    const { tls, addresses } = readConnection(`postgres://h/shop?sslcert=${certificate}&sslkey=${key}`, {})
    return tlsOptions(tls, addresses[0])
  }

  await chmod(key, 0o600)
  t.truthy(options().secureContext)
  await chmod(key, 0o644)
  t.throws(options, { message: /^sslkey: saw .*my\.key, expected/ })
})
