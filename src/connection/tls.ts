import { existsSync, readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, createSecureContext, getCACertificates } from 'node:tls'
import { codeOf } from '../errors.ts'
import type { Address } from './address.ts'
import type { TlsSettings } from './connection.ts'

/**
 * How to speak TLS with a server, as libpq would: what is verified, and what is shown of oneself. Reads the files
 * anew for each connection, because certificates are renewed.
 *
 * @throws a message in one line when a file is missing, open to others, or not what it should be
 */
export function tlsOptions(settings: TlsSettings, { host }: Address): ConnectionOptions {
  const { mode, minimum, maximum, sendsName, direct } = settings
  const ca = authorities(settings)
  if (mode === 'verify-full' && !host) {
    throw new Error(
      'sslmode verify-full: saw hostaddr without host, expected the name that the certificate is for',
    )
  }
  try {
    return {
      secureContext: createSecureContext({
        ...(ca && { ca }),
        ...(ca && revocations(settings)),
        ...identity(settings),
        minVersion: minimum ?? 'TLSv1.2',
        ...(maximum && { maxVersion: maximum }),
      }),
      host, // whom the certificate must name
      ...(sendsName && host && !isIP(host) && { servername: host }),
      ...(direct && { ALPNProtocols: ['postgresql'] }),
      rejectUnauthorized: ca !== undefined,
      ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
    }
  } catch (error) {
    if (!(error as { library?: string }).library && !codeOf(error)) throw error
    throw new Error(
      `the certificates, or the private key and its sslpassword, cannot be used: ${(error as Error).message}`,
    )
  }
}

/** Whoever may have signed the certificate of the server; undefined when nobody has to. */
function authorities({ mode, rootCertificate }: TlsSettings): string[] | undefined {
  if (rootCertificate === 'system') return getCACertificates('system')
  const file = rootCertificate ?? inHome('root.crt')
  if (existsSync(file)) return [readFileSync(file, 'utf8')]
  if (!mode.startsWith('verify')) return undefined
  throw new Error(
    `sslmode ${mode}: saw no file ${file}, expected the certificates to trust there, in sslrootcert, or sslrootcert=system`,
  )
}

function revocations({ revocations, rootCertificate }: TlsSettings): { crl?: string[] } {
  const file = revocations ?? (rootCertificate === 'system' ? undefined : inHome('root.crl'))
  return file && existsSync(file) ? { crl: [readFileSync(file, 'utf8')] } : {}
}

function identity({ certificate, key, keyPassword }: TlsSettings) {
  const certificateFile = certificate ?? inHome('postgresql.crt')
  if (!existsSync(certificateFile)) return {}
  const keyFile = key ?? inHome('postgresql.key')
  const stat = statSync(keyFile, { throwIfNoEntry: false })
  if (!stat) {
    throw new Error(
      `sslkey: saw the certificate ${certificateFile} and no ${keyFile}, expected its private key there`,
    )
  }
  if (stat.mode & (stat.uid === 0 ? 0o037 : 0o077)) {
    throw new Error(
      `sslkey: saw that others may read ${keyFile}, expected mode 0600, or 0640 if root owns it`,
    )
  }
  return {
    cert: readFileSync(certificateFile, 'utf8'),
    key: readFileSync(keyFile, 'utf8'),
    ...(keyPassword && { passphrase: keyPassword }),
  }
}

function inHome(name: string): string {
  return join(homedir(), '.postgresql', name)
}
