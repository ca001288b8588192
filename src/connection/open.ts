import { codeOf } from '../errors.ts'
import { type Address, isFolder } from './address.ts'
import type { Connection, TargetSession } from './connection.ts'
import { dial, type Greeted, isCancel } from './dial.ts'
import type { Open, Opener } from './link.ts'
import { expectSession } from './target_session.ts'

type Entry = { address: Address; wantsTls: boolean }

/**
 * Opens the links of one library to one connection: all of them to the same server for as long as one of them
 * lives.
 */
export function createOpener(connection: Connection): Opener {
  const { addresses, targetSession } = connection
  const [first] = addresses
  let current: Entry = { address: first, wantsTls: false }
  let living = 0

  const enter = async (address: Address, greeting: Buffer, signal: AbortSignal): Promise<Greeted> => {
    current = { ...current, address }
    const greeted = await greet(connection, address, greeting, signal)
    current = { address, wantsTls: greeted.isEncrypted }
    return greeted
  }

  const open: Open = async (greeting, signal) => {
    // What asks to cancel a session has to reach the server of that session.
    if (isCancel(greeting)) return dial(connection, current.address, current.wantsTls, greeting, signal)
    const failures: Error[] = []
    const candidates = living > 0 ? [[current.address, 'any'] as const] : order(addresses, targetSession)
    for (const [n, [address, wanted]] of candidates.entries()) {
      const isLast = n === candidates.length - 1
      try {
        if (wanted !== 'any') {
          const look: Open = (greeting, end) =>
            greet(connection, address, greeting, AbortSignal.any([end, signal]))
          await expectSession(connection, { open: look, address: () => address }, wanted)
        }
        const greeted = await enter(address, greeting, signal)
        if (greeted.refusal === '57P03' && !isLast) {
          greeted.socket.destroy()
          continue
        }
        living++
        greeted.socket.once('close', () => living--)
        return greeted
      } catch (error) {
        failures.push(error as Error)
        if (!isAway(error) || signal.aborted) break
      }
    }
    throw combined(failures)
  }
  return { open, address: () => current.address }
}

function order(addresses: Address[], wanted: TargetSession): (readonly [Address, TargetSession])[] {
  const all = (session: TargetSession) => addresses.map((address) => [address, session] as const)
  return wanted === 'prefer-standby' ? [...all('standby'), ...all('any')] : all(wanted)
}

/** As libpq does: `prefer` goes on without TLS, and `allow` with it, when the server does not let us in otherwise. */
async function greet(
  connection: Connection,
  address: Address,
  greeting: Buffer,
  signal: AbortSignal,
): Promise<Greeted> {
  const attempt = (wantsTls: boolean) => dial(connection, address, wantsTls, greeting, signal)
  const { mode } = connection.tls
  if (isFolder(address) || mode === 'disable') return attempt(false)
  if (mode !== 'allow' && mode !== 'prefer') return attempt(true)
  const first = await attempt(mode === 'prefer').catch((error) => {
    if (mode === 'allow' || isAway(error) || signal.aborted) throw error
  })
  if (first && (first.refusal === undefined || first.isEncrypted !== (mode === 'prefer'))) return first
  const second = await attempt(mode === 'allow').catch((error) => {
    if (!first) throw error
  })
  if (!second) return first as Greeted
  first?.socket.destroy()
  return second
}

/** True when a server could not be reached, or cannot take anybody now: another one may. */
function isAway(error: unknown): boolean {
  const { code, syscall } = error as { code?: string; syscall?: string }
  return (
    /^(connect|getaddrinfo)$/.test(syscall ?? '') ||
    code === 'CONNECT_TIMEOUT' ||
    code === '57P03' ||
    error instanceof AggregateError
  )
}

function combined(failures: Error[]): Error {
  const last = failures.at(-1) as Error
  if (failures.length === 1) return last
  const message = failures
    .map((error) => error.message || String((error as AggregateError).errors?.[0]?.message))
    .join('; ')
  return Object.assign(new Error(message), { code: codeOf(last) })
}
