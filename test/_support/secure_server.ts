import { execFile } from 'node:child_process'
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import postgres from 'postgres'
import { makeTemporaryHome, startServer } from '../../demo/embedded/server.ts'
import { withDatabase } from './database.ts'

const run = promisify(execFile)

/**
 * A server with TLS, whose certificate is for 127.0.0.1 and signed by a private authority, and with a socket,
 * where the account of the operating system counts. Its roles have the password `s3cret`:
 * `tls_only`, `plain_only`, `certified` (who needs a certificate and nothing else), `certified_too` (and the password).
 */
export interface SecureServer {
  port: number
  /** Of the superuser `postgres`. */
  url: string
  password: string
  /** Where its socket lies. */
  sockets: string
  /** Of files: `root.crt`, `other.crt` of an authority that nobody asked, `server.crt`; `client.crt`, `client.key` for
   * `certified`, `client-locked.key` with the password `s3cret`, `stranger.crt` for nobody;
   * `empty.crl`, and `revoked.crl` with the certificate of the server. */
  file(name: string): string
  /** The lines of its log that tell which sessions there were in a database. */
  sessions(database: string): Promise<string[]>
  stop(): Promise<void>
}

export const roles = ['tls_only', 'plain_only', 'certified', 'certified_too'] as const

export async function startSecureServer(): Promise<SecureServer> {
  const home = await makeTemporaryHome()
  const files = await mkdtemp(join(tmpdir(), 'certificates-'))
  const remove = async () => {
    await rm(home, { recursive: true, force: true })
    await rm(files, { recursive: true, force: true })
  }
  await makeCertificates(files)
  const sockets = join(home, 'run')
  const server = await start(home)
  const url = server.url('postgres')
  const owner = await stat(server.dataDirectory)
  await mkdir(sockets)
  await chown(sockets, owner.uid, owner.gid)
  await server.stop()
  for (const name of ['root.crt', 'server.crt', 'server.key']) {
    const path = join(server.dataDirectory, name)
    await cp(join(files, name), path)
    await chown(path, owner.uid, owner.gid)
    await chmod(path, 0o600)
  }
  await writeFile(
    join(server.dataDirectory, 'pg_ident.conf'),
    [...roles, 'postgres'].map((role) => `here "${userInfo().username}" ${role}\n`).join(''),
  )
  await writeFile(
    join(server.dataDirectory, 'pg_hba.conf'),
    `local     all all                         peer map=here
hostnossl all tls_only      127.0.0.1/32  reject
hostssl   all plain_only    127.0.0.1/32  reject
hostssl   all certified     127.0.0.1/32  cert
hostssl   all certified_too 127.0.0.1/32  scram-sha-256 clientcert=verify-ca
host      all all           127.0.0.1/32  scram-sha-256
`,
  )
  const secure = await start(home, {
    unix_socket_directories: sockets,
    log_connections: 'on',
    ssl: 'on',
    ssl_cert_file: 'server.crt',
    ssl_key_file: 'server.key',
    ssl_ca_file: 'root.crt',
  })
  const sql = postgres(url, { max: 1 })
  for (const role of roles) await sql.unsafe(`create role ${role} superuser login password 's3cret'`)
  await sql.end()
  return {
    port: secure.port,
    url,
    password: new URL(url).password,
    sockets,
    file: (name) => join(files, name),
    async sessions(database) {
      const log = await readFile(join(home, 'log'), 'utf8')
      return log
        .split('\n')
        .filter((line) => line.includes(`connection authorized: `) && line.includes(`database=${database} `))
    },
    async stop() {
      await secure.stop()
      await remove()
    },
  }
}

/** A server that follows nobody, and for ever waits for what comes after its data: all its sessions only read. */
export async function startStandby(databases: string[]): Promise<{ url: string; stop(): Promise<void> }> {
  const home = await makeTemporaryHome()
  const primary = await start(home)
  for (const database of databases) await createEmpty(primary.url('postgres'), database)
  await primary.stop()
  await writeFile(join(primary.dataDirectory, 'standby.signal'), '')
  const standby = await start(home)
  return {
    url: standby.url('postgres'),
    async stop() {
      await standby.stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** Creates an empty database, and has the name of it in another URL. */
export async function createEmpty(url: string, name: string): Promise<string> {
  const sql = postgres(url, { max: 1 })
  await sql`create database ${sql(name)}`
  await sql.end()
  return withDatabase(url, encodeURIComponent(name))
}

function start(home: string, settings: Record<string, string> = {}) {
  return startServer({
    home,
    ...(process.env.TEST_POSTGRES && { binaries: process.env.TEST_POSTGRES }),
    settings: { fsync: 'off', timezone: 'UTC', max_connections: '200', shared_buffers: '16MB', ...settings },
  })
}

async function makeCertificates(folder: string): Promise<void> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder })
  const authority = (name: string) =>
    openssl(
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.crt`],
    )
  const signed = async (name: string, subject: string, by: string, extension: string) => {
    await openssl(
      ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-subj', `/CN=${subject}`, '-keyout', `${name}.key`, '-out', `${name}.csr`],
    )
    await writeFile(join(folder, `${name}.ext`), extension)
    await openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', `${by}.crt`, '-CAkey', `${by}.key`, '-CAcreateserial'],
      ...['-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.crt`],
    )
  }
  await authority('root')
  await authority('other')
  await signed('server', 'server', 'root', 'subjectAltName = IP:127.0.0.1\n')
  await signed('client', 'certified', 'root', 'extendedKeyUsage = clientAuth\n')
  await signed('stranger', 'nobody', 'root', 'extendedKeyUsage = clientAuth\n')
  await openssl(
    ...['ec', '-in', 'client.key', '-aes256', '-passout', 'pass:s3cret', '-out', 'client-locked.key'],
  )
  await writeFile(join(folder, 'index.txt'), '')
  await writeFile(
    join(folder, 'ca.cnf'),
    '[ca]\ndefault_ca = this\n[this]\ndatabase = index.txt\ndefault_md = sha256\ndefault_crl_days = 2\n',
  )
  const authorityFiles = ['-config', 'ca.cnf', '-keyfile', 'root.key', '-cert', 'root.crt']
  await openssl('ca', ...authorityFiles, '-gencrl', '-out', 'empty.crl')
  await openssl('ca', ...authorityFiles, '-revoke', 'server.crt')
  await openssl('ca', ...authorityFiles, '-gencrl', '-out', 'revoked.crl')
  for (const name of ['client.key', 'client-locked.key', 'stranger.key'])
    await chmod(join(folder, name), 0o600)
}
