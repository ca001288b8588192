import postgres from 'postgres'

/** The version in which these parts of postgres were read. */
export const readIn = '3.4.9'

type Options = postgres.Options<Record<string, never>>

/** Calls back whenever a connection of this client has closed: the option is read anew each time. */
export function onConnectionClosed(client: postgres.Sql, listener: () => void): void {
  client.options.onclose = listener
}

/**
 * A client on streams of one's own, an option that its types do not have. PGTARGETSESSIONATTRS is hidden from
 * it: it refuses one of the values, and does not go on to the next address.
 */
export function openOnStreams(options: Options, openStream: () => NodeJS.ReadWriteStream): postgres.Sql {
  const variable = 'PGTARGETSESSIONATTRS'
  const value = process.env[variable]
  delete process.env[variable]
  try {
    return postgres({ ...options, socket: openStream } as Options)
  } finally {
    if (value !== undefined) process.env[variable] = value
  }
}
