import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { countFailures, networkOf } from '../../../src/serve/authentication/failures.ts'
import { failuresAMinute, identifyBy } from '../../../src/serve/authentication/identify.ts'
import { type Method, Refusal } from '../../../src/serve/authentication/method.ts'
import { ask, bearer, statusFor, takeNotes } from '../../_support/callers.ts'

test('after many failures their address is told to wait, and no more of them are logged', async (t) => {
  const { authentication, lines } = make(t)
  for (let n = 0; n < failuresAMinute; n++) {
    t.is(await statusFor(authentication, bearer('wrong')), 401)
  }
  t.is(lines.length, failuresAMinute + 1)
  t.is(lines.at(-1), '192.0.2.1: more of this in the next 60 s is not logged')

  t.like(await ask(authentication, bearer('wrong')), { status: 429, headers: { 'retry-after': '60' } })
  t.is(await statusFor(authentication, bearer('nobody')), 429)
  t.is(lines.length, failuresAMinute + 1)
  t.is(await statusFor(authentication, bearer('wrong'), '192.0.2.2'), 401, 'others are not concerned')
})

test('right credentials are let in from an address at which others guess', async (t) => {
  const { authentication } = make(t)
  for (let n = 0; n <= failuresAMinute; n++) await statusFor(authentication, bearer('wrong'))
  t.is(await statusFor(authentication, bearer('wrong')), 429)
  t.is(await statusFor(authentication, bearer('right')), 200)
  t.is(await statusFor(authentication, {}), 401, 'a browser is still asked for credentials')
  t.is(await statusFor(authentication, bearer('keys are away')), 503)
})

test('a minute later it begins anew', async (t) => {
  const { authentication, wait } = make(t)
  for (let n = 0; n <= failuresAMinute; n++) await statusFor(authentication, bearer('wrong'))
  wait(59_500)
  t.like(await ask(authentication, bearer('wrong')), { status: 429, headers: { 'retry-after': '1' } })
  wait(500)
  t.is(await statusFor(authentication, bearer('wrong')), 401)
})

test('whoever asks without credentials, or while nobody can tell, has not failed', async (t) => {
  const { authentication, lines } = make(t)
  for (let n = 0; n < 2 * failuresAMinute; n++) t.is(await statusFor(authentication, {}), 401)
  t.deepEqual(lines, [])
})

test('one network of IPv6 is one caller', async (t) => {
  const { authentication } = make(t)
  for (let n = 0; n < failuresAMinute; n++) {
    t.is(await statusFor(authentication, bearer('wrong'), `2001:db8:1:2:${n}::1`), 401)
  }
  t.is(await statusFor(authentication, bearer('wrong'), '2001:db8:1:2:ffff:ffff:ffff:ffff'), 429)
  t.is(await statusFor(authentication, bearer('wrong'), '2001:db8:1:3::1'), 401)
})

test('networks of addresses', (t) => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:DB8:0001::1', '2001:db8:1:0'],
    ['2001:db8::', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['::', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['1:2:3:4:5:6:7::', '1:2:3:4'],
    ['', ''],
    ['not an address', 'not an address'],
  ] as const) {
    t.is(networkOf(address), network)
  }
  t.not(networkOf('::ffff:192.0.2.1'), networkOf('::ffff:192.0.2.2'))
})

test('every spelling of an address is in the same network', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }),
      fc.boolean(),
      (groups, isPadded) => {
        const text = groups.map((group) => group.toString(16).padStart(isPadded ? 4 : 1, '0')).join(':')
        const { hostname } = new URL(`http://[${text}]`)
        const network = networkOf(text.toUpperCase())
        return (
          network === networkOf(hostname.slice(1, -1)) &&
          network
            .split(':')
            .map((group) => Number.parseInt(group, 16))
            .join() === groups.slice(0, 4).join()
        )
      },
    ),
  )
  fc.assert(fc.property(fc.ipV6(), (address) => networkOf(address).split(':').length < 5))
  t.pass()
})

test('what is remembered does not grow, and those that failed first are forgotten first', (t) => {
  const { count } = countFailures(3)
  for (const address of ['a', 'a', 'b', 'c']) count(address)
  t.is(count('a').failures, 3)
  count('d')
  t.is(count('b').failures, 2)
  t.is(count('a').failures, 1, 'it was forgotten for d')

  let time = 0
  const { count: countTwo } = countFailures(2, () => time)
  countTwo('a')
  time = 61_000
  for (const address of ['b', 'a', 'c']) countTwo(address)
  t.is(countTwo('a').failures, 2, 'it had begun anew')
  const { count: countMany } = countFailures()
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < 300_000; n++)
    countMany(`2001:db8:${(n >> 16).toString(16)}:${(n & 0xffff).toString(16)}::`)
  t.true(process.memoryUsage().heapUsed - before < 100_000_000)
})

function make(_t: ExecutionContext) {
  let time = 1_000_000
  const method: Method = {
    challenges: ['Bearer'],
    credential: ({ authorization }) => authorization,
    identify(credential) {
      if (credential === 'Bearer right') return { name: 'right', mayRead: true, mayTrigger: false }
      if (credential === 'Bearer nobody') throw new Refusal(403, 'nobody')
      if (credential === 'Bearer keys are away') throw new Refusal(503, 'away')
      throw new Refusal(401, 'wrong')
    },
  }
  const { log, lines } = takeNotes()
  return {
    authentication: identifyBy(
      [method],
      log,
      countFailures(10, () => time),
    ),
    lines,
    wait: (milliseconds: number) => {
      time += milliseconds
    },
  }
}
