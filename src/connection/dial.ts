import { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { codeOf } from '../errors.ts'
import { type Address, isFolder, label } from './address.ts'
import type { Connection } from './connection.ts'
import type { Opened } from './link.ts'
import { tlsOptions } from './tls.ts'

/** A server that answers a greeting: with what it asks for next, or with an error. */
export interface Greeted extends Opened {
  isEncrypted: boolean
  /** The SQLSTATE of its error, if it has one. */
  refusal: string | undefined
}

/**
 * Connects to one address, with TLS or without, and greets it.
 *
 * @throws when it cannot be reached, does not answer in time, or TLS fails
 */
export async function dial(
  connection: Connection,
  address: Address,
  wantsTls: boolean,
  greeting: Buffer,
  ending: AbortSignal,
): Promise<Greeted> {
  const { connectTimeout, keepAlive } = connection
  const raw = new Socket().on('error', () => undefined) // while nobody listens
  let socket = raw
  const cut = () => socket.destroy(reason.signal.reason)
  const reason = new AbortController()
  const end = () => reason.abort(new Error('the connection is not wanted any more'))
  const timer = connectTimeout
    ? setTimeout(() => reason.abort(late(address, connectTimeout)), connectTimeout * 1000)
    : undefined
  reason.signal.addEventListener('abort', cut, { once: true })
  ending.addEventListener('abort', end, { once: true })
  if (ending.aborted) end()
  try {
    await connect(raw, address)
    raw.setNoDelay()
    if (keepAlive) raw.setKeepAlive(true, keepAlive * 1000)
    let isEncrypted = false
    if (wantsTls && (connection.tls.direct || (await offersTls(raw, connection.tls.mode, address)))) {
      socket = connectTls({ ...tlsOptions(connection.tls, address), socket: raw }).on(
        'error',
        () => undefined,
      )
      isEncrypted = true
      await happens(socket, 'secureConnect').catch((error) => {
        throw reason.signal.aborted ? error : tlsFailed(address, connection, error)
      })
    }
    socket.write(greeting)
    if (isCancel(greeting)) return { socket, answer: Buffer.alloc(0), isEncrypted, refusal: undefined }
    const answer = await firstMessage(socket)
    return { socket, answer, isEncrypted, refusal: readRefusal(answer, address) }
  } catch (error) {
    socket.destroy()
    raw.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    reason.signal.removeEventListener('abort', cut)
    ending.removeEventListener('abort', end)
  }
}

/** A message that asks to cancel what another connection does. */
export function isCancel(greeting: Buffer): boolean {
  return greeting.length === 16 && greeting.readInt32BE(4) === 80877102
}

async function connect(socket: Socket, { host, hostaddr, port }: Address): Promise<void> {
  const path = `${host}/.s.PGSQL.${port}`
  const connected = happens(socket, 'connect')
  if (isFolder({ host, hostaddr, port })) socket.connect({ path })
  else socket.connect({ host: hostaddr ?? host, port })
  await connected.catch((error) => {
    // A server that is away takes its socket with it.
    if (error.code !== 'ENOENT') throw error
    throw Object.assign(new Error(`no server listens on ${path}`), {
      code: 'ECONNREFUSED',
      syscall: 'connect',
    })
  })
}

async function offersTls(socket: Socket, mode: string, address: Address): Promise<boolean> {
  socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]))
  const answer = await read(socket, () => 1)
  // More than one byte was written by somebody who is not the server.
  if (answer.length === 1 && answer[0] === 0x53) return true
  if (answer.length === 1 && answer[0] === 0x4e && mode === 'prefer') return false
  const what = answer[0] === 0x4e ? 'does not offer TLS' : 'answered the request for TLS with something else'
  throw new Error(`${label(address)} ${what}, and sslmode is ${mode}`)
}

/** At least the first message that a server sends. */
function firstMessage(socket: Socket): Promise<Buffer> {
  return read(socket, (seen) => (seen.length < 5 ? 5 : Math.min(1 + seen.readUInt32BE(1), 20_000)))
}

/** Reads until there is as much as wanted, and pauses. */
async function read(socket: Socket, wanted: (seen: Buffer) => number): Promise<Buffer> {
  let seen = Buffer.alloc(0)
  const enough = Promise.withResolvers<void>()
  const take = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk])
    if (seen.length < wanted(seen)) return
    socket.pause()
    enough.resolve()
  }
  socket.on('data', take).resume()
  try {
    await unlessItEnds(socket, enough.promise)
    return seen
  } finally {
    socket.off('data', take)
  }
}

/** The fields of an error are a letter, text and a zero each. */
function readRefusal(answer: Buffer, address: Address): string | undefined {
  const kind = answer.toString('latin1', 0, 1)
  const method = kind === 'R' ? answer.readUInt32BE(5) : 0
  if (![0, 3, 5, 10].includes(method)) {
    throw new Error(
      `${label(address)} asks for a way of authentication that is not supported here (${method}): ` +
        'expected scram-sha-256, md5, password, cert, peer or trust in pg_hba.conf',
    )
  }
  if (kind !== 'E') return undefined
  return (
    answer
      .toString('latin1', 5)
      .split('\0')
      .find((field) => field.startsWith('C'))
      ?.slice(1) ?? ''
  )
}

async function happens(socket: Socket, event: string): Promise<void> {
  const happened = Promise.withResolvers<void>()
  socket.once(event, happened.resolve)
  await unlessItEnds(socket, happened.promise).finally(() => socket.off(event, happened.resolve))
}

/** Rejects when the socket ends before, for whatever reason. */
async function unlessItEnds<T>(socket: Socket, work: Promise<T>): Promise<T> {
  const ended = Promise.withResolvers<never>()
  const close = () =>
    ended.reject(Object.assign(new Error('the server closed the connection'), { code: 'ECONNRESET' }))
  socket.once('error', ended.reject).once('close', close)
  try {
    return await Promise.race([work, ended.promise])
  } finally {
    socket.off('error', ended.reject).off('close', close)
  }
}

function tlsFailed(address: Address, { tls: { mode } }: Connection, error: Error): Error {
  return Object.assign(new Error(`TLS with ${label(address)} (sslmode ${mode}): ${error.message}`), {
    code: codeOf(error),
  })
}

function late(address: Address, seconds: number): Error {
  return Object.assign(new Error(`connect timeout: ${label(address)} did not answer within ${seconds} s`), {
    code: 'CONNECT_TIMEOUT',
  })
}
