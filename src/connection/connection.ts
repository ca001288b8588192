import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { type Address, defaultFolder } from './address.ts'
import { readParameters } from './parameters.ts'
import type { Parameters } from './parse.ts'
import { passwordFromFile } from './password.ts'

/** A connection as it was asked for: which server, as whom, and how. */
export interface Connection {
  /** At least one, to be tried in this order. */
  addresses: [Address, ...Address[]]
  database: string
  user: string
  password(address: Address): string
  targetSession: TargetSession
  /** Seconds for each address; 0 for as long as it takes. */
  connectTimeout: number
  /** Seconds without traffic after which the system asks whether the server is there; 0 for never. */
  keepAlive: number
  /** How the session calls itself, when the user says so. */
  applicationName: string | undefined
  /** Settings for the server, such as `-c work_mem=64MB`. */
  options: string | undefined
  tls: TlsSettings
}

export interface TlsSettings {
  mode: (typeof modes)[number]
  direct: boolean
  rootCertificate: string | undefined
  revocations: string | undefined
  certificate: string | undefined
  key: string | undefined
  keyPassword: string | undefined
  sendsName: boolean
  minimum: TlsVersion | undefined
  maximum: TlsVersion | undefined
}

export type TargetSession = (typeof sessions)[number]
export type TlsVersion = (typeof versions)[number]

const modes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
const sessions = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const
const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const

/** How many seconds it may take until a session is there; 0 for ever. */
export function longestWait({ addresses, targetSession, connectTimeout }: Connection): number {
  const looksFirst = addresses.length > 1 || targetSession !== 'any'
  return connectTimeout && connectTimeout * addresses.length * (looksFirst ? 2 : 1) + 1
}

/**
 * Reads a connection string and the variables of the environment, as libpq does, for everything that connects.
 *
 * @param unlessGiven seconds for what neither the string nor the environment says
 * @throws a message in one line, without any password, when something is malformed, missing or not supported
 */
export function readConnection(
  text: string,
  env: NodeJS.ProcessEnv = process.env,
  unlessGiven = { connectTimeout: 30, keepAlive: 60 },
): Connection {
  const given = readParameters(text, env)
  const database = given.get('dbname')
  if (!database) {
    throw new Error(
      'saw a connection without a database, expected a connection URL such as postgres://user@host:5432/database',
    )
  }
  const user = given.get('user') || userInfo().username
  const password = given.get('password')
  return {
    addresses: readAddresses(given),
    database,
    user,
    password: (address) => password || passwordFromFile(given.get('passfile'), address, database, user) || '',
    targetSession: oneOf(given, 'target_session_attrs', sessions) ?? 'any',
    connectTimeout: readTimeout(given) ?? unlessGiven.connectTimeout,
    keepAlive:
      integerOf(given, 'keepalives') === 0 ? 0 : integerOf(given, 'keepalives_idle') || unlessGiven.keepAlive,
    applicationName: given.get('application_name') || given.get('fallback_application_name') || undefined,
    options: readOptions(given, env),
    tls: readTls(given),
  }
}

function readAddresses(given: Parameters): [Address, ...Address[]] {
  const listOf = (name: string) => given.get(name)?.split(',') ?? ['']
  const [hosts, hostaddrs, ports] = [listOf('host'), listOf('hostaddr'), listOf('port')]
  const count = Math.max(hosts.length, hostaddrs.length)
  if (given.get('host') && given.get('hostaddr') && hosts.length !== hostaddrs.length) {
    throw new Error(`saw ${hosts.length} host and ${hostaddrs.length} hostaddr, expected one for each`)
  }
  if (ports.length !== 1 && ports.length !== count) {
    throw new Error(`saw ${ports.length} ports for ${count} hosts, expected one, or one for each`)
  }
  const address = (n: number): Address => {
    const [host = '', hostaddr] = [hosts[n], hostaddrs[n] || undefined]
    if (host.startsWith('@'))
      throw new Error('saw an abstract socket as host, expected a name, an address or a folder')
    return { host: host || (hostaddr ? '' : defaultFolder), hostaddr, port: readPort(ports[n] ?? ports[0]) }
  }
  return [address(0), ...Array.from({ length: count - 1 }, (_, n) => address(n + 1))]
}

function readOptions(given: Parameters, { PGTZ }: NodeJS.ProcessEnv): string | undefined {
  const zone = PGTZ && `-c TimeZone=${PGTZ.replaceAll(/[\\\s]/g, '\\$&')}`
  return [given.get('options'), zone].filter(Boolean).join(' ') || undefined
}

/** What is no port may be the rest of a password: it is not repeated. */
function readPort(text = ''): number {
  const port = Number(text || 5432)
  if (/^\d*$/.test(text) && port >= 1 && port <= 65535) return port
  throw new Error(
    'saw a port that is not a number from 1 to 65535 (in a password, %2F stands for / and %40 for @), ' +
      'expected a connection URL such as postgres://user@host:5432/database',
  )
}

function readTimeout(given: Parameters): number | undefined {
  const seconds = integerOf(given, 'connect_timeout')
  return seconds === 1 ? 2 : seconds === undefined ? undefined : Math.max(seconds, 0)
}

function readTls(given: Parameters): TlsSettings {
  const root = given.get('sslrootcert') || undefined
  const mode = oneOf(given, 'sslmode', modes) ?? (root === 'system' ? 'verify-full' : 'prefer')
  const direct = oneOf(given, 'sslnegotiation', ['postgres', 'direct'] as const) === 'direct'
  if (root === 'system' && mode !== 'verify-full') {
    throw new Error(`sslrootcert=system: saw sslmode ${mode}, expected verify-full`)
  }
  if (direct && modes.indexOf(mode) < modes.indexOf('require')) {
    throw new Error(`sslnegotiation=direct: saw sslmode ${mode}, expected require, verify-ca or verify-full`)
  }
  return {
    mode,
    direct,
    rootCertificate: root === 'system' ? root : fileOf(given, 'sslrootcert'),
    revocations: fileOf(given, 'sslcrl'),
    certificate: fileOf(given, 'sslcert'),
    key: fileOf(given, 'sslkey'),
    keyPassword: given.get('sslpassword') || undefined,
    sendsName: integerOf(given, 'sslsni') !== 0,
    minimum: oneOf(given, 'ssl_min_protocol_version', versions),
    maximum: oneOf(given, 'ssl_max_protocol_version', versions),
  }
}

/** Stricter than libpq, which goes on without a file that is not there. */
function fileOf(given: Parameters, name: string): string | undefined {
  const path = given.get(name) || undefined
  if (path && !existsSync(path)) throw new Error(`${name}: saw ${path}, expected a file that exists`)
  return path
}

function oneOf<T extends string>(given: Parameters, name: string, values: readonly T[]): T | undefined {
  const value = given.get(name)
  if (!value) return undefined
  const found = values.find((known) => known.toLowerCase() === value.toLowerCase())
  if (found) return found
  throw new Error(`${name}: saw ${value}, expected ${values.join(', ')}`)
}

function integerOf(given: Parameters, name: string): number | undefined {
  const value = given.get(name)
  if (!value) return undefined
  if (/^\s*-?\d{1,9}\s*$/.test(value)) return Number(value)
  throw new Error(`${name}: saw ${value}, expected a whole number`)
}
