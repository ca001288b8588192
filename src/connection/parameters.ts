import { type Parameters, parseConnectionString, shownName } from './parse.ts'

/** Parameters that are supported, and the variables of the environment that give them. */
const supported: Record<string, string | undefined> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  dbname: 'PGDATABASE',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  passfile: 'PGPASSFILE',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  keepalives: undefined,
  keepalives_idle: undefined,
  application_name: 'PGAPPNAME',
  fallback_application_name: undefined,
  options: 'PGOPTIONS',
  sslmode: 'PGSSLMODE',
  sslnegotiation: 'PGSSLNEGOTIATION',
  sslrootcert: 'PGSSLROOTCERT',
  sslcrl: 'PGSSLCRL',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslpassword: undefined,
  sslsni: 'PGSSLSNI',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION',
}

/** Parameters that are not: the values at which they change nothing, beside none. */
const harmless: Record<string, [values: RegExp, variable?: string]> = {
  client_encoding: [/^(utf-?8|unicode|auto)$/i, 'PGCLIENTENCODING'],
  // What Node sets for every connection whose keepalives are on.
  keepalives_interval: [/^[01]$/],
  keepalives_count: [/^(0|10)$/],
  tcp_user_timeout: [/^0$/],
  load_balance_hosts: [/^disable$/, 'PGLOADBALANCEHOSTS'],
  channel_binding: [/^(disable|prefer)$/, 'PGCHANNELBINDING'],
  require_auth: [/^$/, 'PGREQUIREAUTH'],
  gssencmode: [/^(disable|prefer)$/, 'PGGSSENCMODE'],
  gssdelegation: [/^0$/, 'PGGSSDELEGATION'],
  krbsrvname: [/^postgres$/, 'PGKRBSRVNAME'],
  gsslib: [/^gssapi$/, 'PGGSSLIB'],
  requirepeer: [/^$/, 'PGREQUIREPEER'],
  requiressl: [/^0$/, 'PGREQUIRESSL'],
  sslcompression: [/^0$/, 'PGSSLCOMPRESSION'],
  sslcertmode: [/^allow$/, 'PGSSLCERTMODE'],
  sslcrldir: [/^$/, 'PGSSLCRLDIR'],
  min_protocol_version: [/^3\.0$/, 'PGMINPROTOCOLVERSION'],
  max_protocol_version: [/^(3\.0|3\.2|latest)$/, 'PGMAXPROTOCOLVERSION'],
  replication: [/^(0|false|off|no)$/],
  service: [/^$/, 'PGSERVICE'],
}

/**
 * The parameters of a connection: what the string says, and what the environment says of the others.
 *
 * @throws a message that names what is not supported
 */
export function readParameters(text: string, env: NodeJS.ProcessEnv): Parameters {
  const said = parseConnectionString(text)
  const found: Parameters = new Map()
  for (const [name, value] of said) {
    const isHarmless = value === '' || harmless[name]?.[0].test(value)
    if (Object.hasOwn(supported, name)) found.set(name, value)
    else if (!Object.hasOwn(harmless, name)) throw unknown(name, text)
    else if (!isHarmless) throw notSupported(`the parameter ${name}`)
  }
  for (const [name, variable] of Object.entries(supported)) {
    const value = variable && env[variable]
    if (value && !found.has(name)) found.set(name, value)
  }
  for (const [name, [values, variable]] of Object.entries(harmless)) {
    const value = variable && env[variable]
    if (value && !said.has(name) && !values.test(value)) throw notSupported(variable)
  }
  return found
}

function unknown(name: string, text: string): Error {
  return new Error(
    `saw the parameter ${shownName(name, text)}, expected one of ${Object.keys(supported).join(', ')}; settings of the server go into options`,
  )
}

function notSupported(what: string): Error {
  return new Error(
    `saw ${what} with a value that is not supported here, expected none: nothing of it would be done`,
  )
}
