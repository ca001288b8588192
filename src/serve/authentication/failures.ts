import { isIPv6 } from 'node:net'

/** How often each network has failed of late, in memory that does not grow. */
export interface Failures {
  /** Counts one more, and tells how many there were in this minute, and in how many seconds it ends. */
  count(address: string): { failures: number; seconds: number }
}

const minute = 60_000

/** @param networks how many are remembered; with more, those that began to fail first are forgotten */
export function countFailures(networks = 10_000, now: () => number = () => performance.now()): Failures {
  // In the order in which their minutes end.
  const minutes = new Map<string, { failures: number; end: number }>()

  return {
    count(address) {
      const network = networkOf(address)
      let current = minutes.get(network)
      if (!current || current.end <= now()) {
        minutes.delete(network)
        if (minutes.size >= networks) minutes.delete(minutes.keys().next().value as string)
        current = { failures: 0, end: now() + minute }
        minutes.set(network, current)
      }
      current.failures++
      return { failures: current.failures, seconds: Math.ceil((current.end - now()) / 1000) }
    },
  }
}

/** An address as far as one customer holds it: of IPv6 the first 64 bits. */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%')
  if (!isIPv6(plain)) return plain
  // Also turns the last 32 bits of ::ffff:192.0.2.1 into hexadecimal groups.
  const [head = '', tail] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split('::')
  const groups = (text: string | undefined) => (text ? text.split(':') : [])
  const filled = [
    ...groups(head),
    ...(tail === undefined ? [] : Array(8 - groups(head).length - groups(tail).length).fill('0')),
    ...groups(tail),
  ]
  const isMapped = filled.slice(0, 6).join(':') === '0:0:0:0:0:ffff'
  return isMapped ? filled.slice(5).join(':') : filled.slice(0, 4).join(':')
}
