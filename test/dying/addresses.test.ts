import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import postgres from 'postgres'
import { connect } from '../../src/connection/database.ts'
import { cancelQuery } from '../../src/private_parts/postgres.ts'
import { eventually, hang } from '../_support/eventually.ts'
import { libraries } from '../_support/libraries.ts'
import { tableMetrics } from '../_support/process.ts'
import { createEmpty, type SecureServer, startSecureServer, startStandby } from '../_support/secure_server.ts'
import { knownTypes } from '../_support/types.ts'

const test = anyTest as TestFn<{ server: SecureServer; standby: Awaited<ReturnType<typeof startStandby>> }>

test.before(async (t) => {
  const [server, standby] = await Promise.all([
    startSecureServer(),
    startStandby(Object.keys(setups).map((_, n) => `shop_${n}`)),
  ])
  t.context = { server, standby }
})
test.after.always((t) => Promise.all([t.context.server?.stop(), t.context.standby?.stop()]))

interface Setup {
  DATABASE_URL?: string
  DATABASE_URL_FILE?: string
  [variable: string]: string | undefined
}

/** How somebody says where to connect to, and how the sessions come in then. */
const setups: Record<
  string,
  (t: ExecutionContext, server: SecureServer, database: string) => Promise<{ env: Setup; sessions: RegExp }>
> = {
  'TLS with a private authority and a certificate of its own': async (_, { port, file }, database) => ({
    env: {
      DATABASE_URL:
        `postgres://certified@127.0.0.1:${port}/${database}?sslmode=verify-full&sslrootcert=${file('root.crt')}` +
        `&sslcert=${file('client.crt')}&sslkey=${file('client.key')}`,
    },
    sessions: /user=certified .*SSL enabled/,
  }),
  'sslmode=require, which verifies nothing': async (_, { port }, database) => ({
    env: { DATABASE_URL: `postgres://tls_only:s3cret@127.0.0.1:${port}/${database}?sslmode=require` },
    sessions: /user=tls_only .*SSL enabled/,
  }),
  'the folder of a socket as a parameter': async (_, { port, sockets }, database) => ({
    env: { DATABASE_URL: `postgres:///${database}?host=${sockets}&port=${port}&user=postgres` },
    sessions: /user=postgres (?!.*SSL)/,
  }),
  'the folder of a socket in place of the host': async (_, { port, sockets }, database) => ({
    env: { DATABASE_URL: `postgresql://certified@${encodeURIComponent(sockets)}:${port}/${database}` },
    sessions: /user=certified (?!.*SSL)/,
  }),
  'pairs, as libpq has them': async (_, { port, sockets }, database) => ({
    env: { DATABASE_URL: `host='${sockets}' port=${port} user=postgres dbname=${database}` },
    sessions: /user=postgres (?!.*SSL)/,
  }),
  'several hosts, the first of which is not there': async (_, { port }, database) => ({
    env: { DATABASE_URL: `postgres://tls_only:s3cret@127.0.0.1:1,127.0.0.1:${port}/${database}` },
    sessions: /user=tls_only .*SSL enabled/,
  }),
  'several hosts, the first of which only reads': async (t, { port, sockets }, database) => ({
    env: {
      DATABASE_URL:
        `postgres://postgres@127.0.0.1:${new URL(contextOf(t).standby.url).port},${encodeURIComponent(sockets)}:${port}` +
        `/${database}?target_session_attrs=primary`,
      PGPASSWORD: new URL(contextOf(t).standby.url).password,
    },
    sessions: /user=postgres /,
  }),
  'a URL in a file, and a password in another': async (t, { port }, database) => ({
    env: {
      DATABASE_URL_FILE: await writeSecret(t, `postgres://tls_only@127.0.0.1:${port}/${database}\n`),
      PGPASSFILE: await writeSecret(t, `other:*:*:*:wrong\n127.0.0.1:*:${database}:tls_only:s3cret\n`),
    },
    sessions: /user=tls_only .*SSL enabled/,
  }),
  'the files in the home directory': async (t, { port, file }, database) => ({
    env: {
      DATABASE_URL: `postgres://certified_too@127.0.0.1:${port}/${database}?sslmode=verify-full`,
      HOME: await makeHome(t, {
        '.pgpass': '*:*:*:certified_too:s3cret',
        '.postgresql/root.crt': await readFile(file('root.crt'), 'utf8'),
        '.postgresql/postgresql.crt': await readFile(file('client.crt'), 'utf8'),
        '.postgresql/postgresql.key': await readFile(file('client.key'), 'utf8'),
      }),
    },
    sessions: /user=certified_too .*SSL enabled/,
  }),
  'nothing but the variables of libpq': async (_, { port, file }, database) => ({
    env: {
      DATABASE_URL: 'postgres://',
      PGHOST: '127.0.0.1',
      PGPORT: String(port),
      PGUSER: 'certified_too',
      PGPASSWORD: 's3cret',
      PGDATABASE: database,
      PGSSLMODE: 'verify-ca',
      PGSSLROOTCERT: file('root.crt'),
      PGSSLCERT: file('client.crt'),
      PGSSLKEY: file('client.key'),
      PGTARGETSESSIONATTRS: 'any',
      PGCONNECT_TIMEOUT: '60',
    },
    sessions: /user=certified_too .*SSL enabled/,
  }),
}

const contextOf = (t: ExecutionContext) => t.context as { server: SecureServer; standby: { url: string } }

for (const [n, [what, setup]] of Object.entries(setups).entries()) {
  test(`every command works with ${what}`, async (t) => {
    const { server } = t.context
    const database = `shop_${n}`
    const sql = postgres(await createEmpty(server.url, database), {
      ...knownTypes,
      max: 1,
      onnotice: () => undefined,
    })
    t.teardown(() => sql.end())
    await sql`create table public.pears as select generate_series(1, 7)`
    const decoy = await startDecoy(t)
    const { env, sessions } = await setup(t, server, database)
    const settings = { PGHOST: '127.0.0.1', PGPORT: String(decoy.port), ...env } as Record<string, string>
    const before = (await server.sessions(database)).length

    const succeeds = async (...command: string[]) => {
      const { status, stderr } = await tableMetrics(t, '', command, settings)
      t.is(status, 0, `${command.join(' ')}: ${stderr}`)
    }

    await succeeds('migrate')
    await succeeds('collect')
    await succeeds('collect', '--online', '--jobs', '2')
    await succeeds('worker', '--once')
    await sql`select graphile_worker.add_job('collect_table_metrics', '{}')`
    await succeeds('worker', '--once')
    await succeeds('doctor')

    const counted = await sql`
      select
        count(*)::int as runs, bool_and(status = 'SUCCEEDED') as succeeded,
        bool_and(payload -> 'public' = '{"pears": 7}') as right
      from nms.table_metrics_runs
      left join nms.table_metrics_run_snapshot using (run_id)
    `
    t.deepEqual({ ...counted[0] }, { runs: 3, succeeded: true, right: true })
    const lines = (await server.sessions(database)).slice(before)
    t.true(lines.length >= 8, 'the log tells of each session')
    for (const line of lines) t.regex(line, sessions)
    t.is(decoy.connections(), 0, 'the server at the default address was left alone')
  })
}

const where = `select current_setting('port') as outcome`

for (const [hosts, wanted, expected] of [
  ['standby,primary', 'any', 'standby'],
  ['standby,primary', 'read-write', 'primary'],
  ['primary,standby', 'read-write', 'primary'],
  ['primary,standby', 'read-only', 'standby'],
  ['standby,primary', 'primary', 'primary'],
  ['primary,standby', 'standby', 'standby'],
  ['primary,standby', 'prefer-standby', 'standby'],
  ['primary,primary', 'prefer-standby', 'primary'],
  ['nobody,primary', 'any', 'primary'],
  ['nobody,standby,primary', 'primary', 'primary'],
  ['standby', 'read-write', undefined],
  ['standby,standby', 'primary', undefined],
  ['primary', 'standby', undefined],
  ['nobody,nobody', 'any', undefined],
] as const) {
  test(`of ${hosts}, ${wanted} is ${expected ?? 'nobody'}`, async (t) => {
    const ports = {
      primary: String(t.context.server.port),
      standby: new URL(t.context.standby.url).port,
      nobody: '1',
    }
    const names = hosts.split(',') as (keyof typeof ports)[]
    const passwords = await writeSecret(
      t,
      [
        `127.0.0.1:${ports.primary}:*:*:${t.context.server.password}`,
        `127.0.0.1:${ports.standby}:*:*:${new URL(t.context.standby.url).password}`,
      ].join('\n'),
    )
    const url = `postgres://postgres@${names.map((name) => `127.0.0.1:${ports[name]}`)}/postgres?target_session_attrs=${wanted}&passfile=${passwords}`
    for (const [library, ask] of Object.entries(libraries)) {
      if (expected) t.is(await ask(url, where), ports[expected], library)
      else {
        const error = await t.throwsAsync(() => ask(url, where), undefined, library)
        for (const name of names)
          t.true(error?.message.includes(ports[name]), `${library}: ${error?.message}`)
      }
    }
  })
}

test('a server that only reads by default is not one to write to', async (t) => {
  const url = `${t.context.server.url}?options=${encodeURIComponent('-c default_transaction_read_only=on')}&connect_timeout=${hang}`
  for (const [library, ask] of Object.entries(libraries)) {
    t.is(await ask(`${url}&target_session_attrs=read-only`, where), String(t.context.server.port), library)
    await t.throwsAsync(() => ask(`${url}&target_session_attrs=read-write`, where), undefined, library)
  }
})

for (const [what, urlOf] of Object.entries<(server: SecureServer, standby: string) => string>({
  TLS: ({ port }) => `postgres://tls_only:s3cret@127.0.0.1:${port}/postgres?sslmode=require`,
  'a socket': ({ port, sockets }) => `postgres://postgres@/postgres?host=${sockets}&port=${port}`,
  'the second of two hosts': ({ port, sockets }, standby) =>
    standby.replace(
      /\/postgres$/,
      `,${encodeURIComponent(sockets)}:${port}/postgres?target_session_attrs=primary`,
    ),
})) {
  test(`what asks to cancel reaches the server by ${what}`, async (t) => {
    const sql = connect(urlOf(t.context.server, t.context.standby.url))
    t.teardown(() => sql.end({ timeout: 0 }))
    const [{ pid }] = await sql<[{ pid: number }]>`select pg_backend_pid() as pid`
    const admin = postgres(t.context.server.url, { ...knownTypes, max: 1 })
    t.teardown(() => admin.end())

    const sleeping = sql.unsafe('select pg_sleep(600)')
    const ended = t.throwsAsync(sleeping.execute(), { code: '57014' })
    const state = () => admin`select from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`
    await eventually(async () => (await state()).length === 1, 'it sleeps', 30)
    await cancelQuery(sleeping)
    await ended

    t.is((await sql`select 1`).length, 1)
  })
}

test('options, a name and encoded names reach the server alike', async (t) => {
  const { server } = t.context
  const [database, user, password] = ['50% off/é ?#&=+', 'us%er@home', 'p%40s/s?w:o r@d#%']
  const admin = postgres(server.url, { ...knownTypes, max: 1 })
  t.teardown(() => admin.end())
  await admin`create database ${admin(database)}`
  await admin.unsafe(`create role "${user}" login password '${password}'`)
  const encode = encodeURIComponent
  const url =
    `postgres://${encode(user)}:${encode(password)}@127.0.0.1:${server.port}/${encode(database)}` +
    `?options=${encode('-c statement_timeout=4321 -c my.note="a\\ b"')}&application_name=${encode('50% & more')}&connect_timeout=${hang}`
  const question = `
    select concat_ws('|', current_database(), current_user, current_setting('statement_timeout'),
      current_setting('my.note'), current_setting('application_name')) as outcome
  `

  for (const [library, ask] of Object.entries(libraries)) {
    const name = library === 'migrate' ? 'table-metrics migrate' : '50% & more'
    t.is(await ask(url, question), `${database}|${user}|4321ms|"a b"|${name}`, library)
  }
})

for (const [parameters, seconds] of [
  ['', 60],
  ['&keepalives_idle=7', 7],
  ['&keepalives=0', undefined],
] as const) {
  test(`keepalives: ${parameters || 'by default'}`, async (t) => {
    const sql = connect(`${t.context.server.url}?sslmode=disable${parameters}`)
    t.teardown(() => sql.end({ timeout: 1 }))
    const [{ port }] = await sql<[{ port: number }]>`
      select client_port as port from pg_stat_activity where pid = pg_backend_pid()
    `
    // The kernel tells for each connection which timer runs, 2 for keepalives, and for how long yet.
    const hex = (value: number) => value.toString(16).toUpperCase().padStart(4, '0')
    const line = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .find((text) => text.includes(`:${hex(port)} 0100007F:${hex(t.context.server.port)} `))
    const [, timer, left = ''] = /\s(\d\d):([0-9A-F]{8})\s/.exec(line ?? '') ?? []
    t.is(timer === '02', seconds !== undefined, line)
    if (seconds) t.true(Number.parseInt(left, 16) <= seconds * 100 && Number.parseInt(left, 16) > 0, left)
    if (seconds === 60) t.true(Number.parseInt(left, 16) > 700, left)
  })
}

/** What a server says to whoever connects, and what comes of it. */
const strangeServers: Record<
  string,
  { says: (socket: Socket) => void; error: RegExp; parameters?: string; timeout?: number }
> = {
  'asks for GSSAPI': {
    says: (socket) => socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 7])),
    error: /way of authentication/,
    parameters: 'sslmode=disable',
  },
  'says more than that it offers TLS': {
    says: (socket) => socket.write('SE'),
    error: /TLS/,
    parameters: 'sslmode=require',
  },
  'offers no TLS': {
    says: (socket) => socket.write('N'),
    error: /does not offer TLS/,
    parameters: 'sslmode=require',
  },
  'says nothing': {
    says: () => undefined,
    error: /127\.0\.0\.1:\d+ did not answer within 2 s/,
    timeout: 2,
  },
  'hangs up': { says: (socket) => socket.end(), error: /closed the connection/ },
}

for (const [what, { says, error, parameters = 'sslmode=prefer', timeout = hang }] of Object.entries(
  strangeServers,
)) {
  test(`a server that ${what} is given up in one line`, async (t) => {
    const port = await listen(t, (socket) => socket.once('data', () => says(socket)))
    const url = `postgres://u:s3cret@127.0.0.1:${port}/d?connect_timeout=${timeout}&${parameters}`
    for (const [library, ask] of Object.entries(libraries)) {
      if (library === 'libpq') continue
      const thrown = await t.throwsAsync(() => ask(url, where), undefined, library)
      t.regex(thrown?.message ?? '', error, library)
      t.notRegex(thrown?.message ?? '', /s3cret|\n/)
    }
  })
}

test('a host that says nothing is followed by the next one', async (t) => {
  const silent = await listen(t, () => undefined)
  const { port } = t.context.server
  const url = `postgres://tls_only:s3cret@127.0.0.1:${silent},127.0.0.1:${port}/postgres?connect_timeout=15`
  const asked = Object.entries(libraries).map(async ([library, ask]) => [library, await ask(url, where)])
  t.deepEqual(
    await Promise.all(asked),
    Object.keys(libraries).map((library) => [library, String(port)]),
  )
})

test('sslrootcert=system trusts whom the system trusts', async (t) => {
  const { port, file } = t.context.server
  const url = `postgres://tls_only:s3cret@127.0.0.1:${port}/postgres?sslrootcert=system`
  const ask = (env: Record<string, string>) => tableMetrics(t, url, ['status'], env)

  const trusted = await ask({ SSL_CERT_FILE: file('root.crt') })
  t.true(
    trusted.stderr.includes('table-metrics migrate'),
    `${trusted.stderr}: it got in, where nothing is installed`,
  )
  const other = await ask({ SSL_CERT_FILE: file('other.crt') })
  t.true(other.stderr.includes('sslrootcert'), other.stderr)
})

test('sslnegotiation=direct speaks TLS from the first byte, where the server does', async (t) => {
  const { server } = t.context
  const sql = postgres(server.url, { ...knownTypes, max: 1 })
  t.teardown(() => sql.end())
  const [{ knows }] = await sql<[{ knows: boolean }]>`
    select current_setting('server_version_num')::int >= 170000 as knows
  `
  const url = `postgres://tls_only:s3cret@127.0.0.1:${server.port}/postgres?sslmode=require&sslnegotiation=direct`
  for (const [library, ask] of Object.entries(libraries)) {
    if (library === 'libpq') continue
    if (knows) t.is(await ask(url, where), String(server.port), library)
    else await t.throwsAsync(() => ask(url, where), undefined, library)
  }
})

/** Counts who connects, and answers nobody. */
async function startDecoy(t: ExecutionContext): Promise<{ port: number; connections(): number }> {
  let connections = 0
  const port = await listen(t, (socket) => {
    connections++
    socket.destroy()
  })
  return { port, connections: () => connections }
}

async function listen(t: ExecutionContext, handle: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    handle(socket)
  })
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

async function writeSecret(t: ExecutionContext, text: string): Promise<string> {
  return join(await makeHome(t, { secret: text }), 'secret')
}

/** A folder with files for its owner's eyes only, deleted when the test ends. */
async function makeHome(t: ExecutionContext, files: Record<string, string>): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'home-'))
  t.teardown(() => rm(home, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(home, name)), { recursive: true })
    await writeFile(join(home, name), text, { mode: 0o600 })
  }
  return home
}
