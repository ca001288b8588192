/** One server to try. */
export interface Address {
  /** A name or an address; a folder, where its socket lies; or empty, when there is only `hostaddr`. */
  host: string
  /** What to connect to in place of looking up the name. */
  hostaddr: string | undefined
  port: number
}

/** Where Debian's libpq looks for the socket of a server when no host is given. */
export const defaultFolder = '/var/run/postgresql'

/** True for a folder, where a server listens on a socket: there is no TLS. */
export function isFolder({ host, hostaddr }: Address): boolean {
  return !hostaddr && host.startsWith('/')
}

/** An address for a message. */
export function label({ host, hostaddr, port }: Address): string {
  return isFolder({ host, hostaddr, port }) ? `${host}/.s.PGSQL.${port}` : `${hostaddr ?? host}:${port}`
}
