/** Parameters of a connection by the names that libpq has for them, as they were given. */
export type Parameters = Map<string, string>

/**
 * What a connection string says, as libpq reads it: a URL, or `host=… dbname=…`.
 *
 * @throws a message that never repeats what may be a password, wherever the string went wrong
 */
export function parseConnectionString(text: string): Parameters {
  const rest = /^postgres(?:ql)?:\/\/(.*)$/s.exec(text)?.[1]
  if (rest !== undefined) return parseUrl(rest)
  if (/^[a-z]+:\/\//i.test(text)) throw saw('a URL that does not begin with postgres://')
  if (text.includes('=')) return parsePairs(text)
  throw saw('no URL')
}

// URL parsers of the web refuse several hosts, decode + to a space, end at # and lower case names:
// the grammar of libpq is another one.
function parseUrl(rest: string): Parameters {
  const found: Parameters = new Map()
  const [, user, password, authority = '', database, query] =
    /^(?:([^:@/]*)(?::([^@/]*))?@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest) ?? []
  const set = (name: string, value: string | undefined, part: string) => {
    if (value) found.set(name, decode(value, part))
  }
  set('user', user, 'the user')
  set('password', password, 'the password')
  const hosts = authority.split(',').map((host) => /^(?:\[([^\]]+)\]|([^:[\]]*))(?::([^:]*))?$/.exec(host))
  if (hosts.includes(null))
    throw saw('a host that is malformed (in a password, %2F stands for / and %40 for @)')
  set('host', hosts.map((host) => host?.[1] ?? host?.[2] ?? '').join(','), 'the host')
  set('port', hosts.map((host) => host?.[3] ?? '').join(','), 'the port')
  set('dbname', database, 'the database')
  for (const pair of query ? query.split('&') : []) {
    const [name = '', value, ...more] = pair.split('=')
    const shown = shownName(decode(name, 'the name of a parameter'), rest)
    if (value === undefined) throw saw(`the parameter ${shown} without a value`)
    if (more.length > 0) throw saw(`a second = in the parameter ${shown}, which is written as %3D`)
    // What drivers of other languages call it.
    if (pair === 'ssl=true') found.set('sslmode', 'require')
    else found.set(decode(name, shown), decode(value, `the parameter ${shown}`))
  }
  return found
}

function parsePairs(text: string): Parameters {
  const found: Parameters = new Map()
  const pair = /\s*([^\s=]+)\s*=\s*(?:'((?:\\.|[^'\\])*)'|(?![\s'])((?:\\.?|[^\s\\])*))\s*/sy
  while (pair.lastIndex < text.length) {
    const match = pair.exec(text)
    if (!match) throw saw('neither a URL nor pairs such as host=localhost dbname=shop')
    const [, name = '', quoted, plain = ''] = match
    found.set(name, (quoted ?? plain).replaceAll(/\\(.?)/gs, '$1'))
  }
  return found
}

function decode(text: string, part: string): string {
  if (/%(?![0-9a-f]{2})|%00/i.test(text))
    throw saw(`malformed percent-encoding in ${part}, where %25 stands for %`)
  try {
    return decodeURIComponent(text)
  } catch {
    throw saw(`percent-encoding that is not UTF-8 in ${part}`)
  }
}

/** Whatever follows an @ that was not encoded may be the rest of a password. */
export function shownName(name: string, text = ''): string {
  return /^[a-z_]{1,40}$/i.test(name) && !text.slice(text.indexOf('?')).includes('@') ? name : 'with a name'
}

function saw(what: string): Error {
  return new Error(`saw ${what}, expected a connection URL such as postgres://user@host:5432/database`)
}
