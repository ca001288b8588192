import test from 'ava'
import { anybody, requireRead, requireTrigger } from '../../../src/serve/authentication/authentication.ts'
import {
  isLoopback,
  requireLoopbackHost,
  requireMethodUnlessLoopback,
} from '../../../src/serve/authentication/loopback.ts'
import { readAuthentication } from '../../../src/serve/authentication/settings.ts'
import { Problem } from '../../../src/serve/problem.ts'
import { takeNotes } from '../../_support/callers.ts'

const local = [
  '127.0.0.1',
  '127.1.2.3',
  '127.255.255.255',
  '::1',
  '0:0:0:0:0:0:0:1',
  'localhost',
  'LocalHost',
]
const remote = [
  '0.0.0.0',
  '::',
  '',
  '10.0.0.1',
  '128.0.0.1',
  '126.255.255.255',
  '::2',
  'fe80::1',
  'example.com',
  'localhost.example.com',
  'localhost.',
  'xlocalhost',
  '127.0.0.1.example.com',
  '127.1',
  '2130706433',
  '0x7f.0.0.1',
  '127.0.0.01',
  ' 127.0.0.1',
  '127.0.0.1 ',
  '[::1]',
  '::ffff:10.0.0.1',
]

test('without a method it binds to loopback only', (t) => {
  for (const host of local) t.notThrows(() => requireMethodUnlessLoopback(host, undefined), host)
  for (const host of remote) {
    t.throws(
      () => requireMethodUnlessLoopback(host, undefined),
      { message: /^saw host .* and no authentication, expected 127\.0\.0\.1, ::1 or localhost, or a method/ },
      host,
    )
  }
  const authentication = readAuthentication({
    environment: { K_SERVICE: 'a', SERVE_PLATFORM_AUDIENCE: 'b', SERVE_PLATFORM_EMAILS: 'c@example.com' },
    log: takeNotes().log,
  })
  for (const host of [...local, ...remote]) {
    t.notThrows(() => requireMethodUnlessLoopback(host, authentication))
  }
})

test('without a method it answers only to names of loopback', (t) => {
  for (const host of local) {
    const name = host.includes(':') ? `[${host}]` : host
    t.notThrows(() => requireLoopbackHost({ host: name }))
    t.notThrows(() => requireLoopbackHost({ host: `${name}:8787` }))
  }
  for (const host of [
    ...remote,
    'evil.example.com:8787',
    'localhost@evil.example.com',
    'evil.example.com#localhost',
    'localhost:8787:8787',
    'localhost:x',
    'localhost, evil.example.com',
    '[::1].example.com',
    '[localhost',
    '::1',
    undefined,
  ]) {
    if (host === '[::1]') continue
    const headers = host === undefined ? {} : { host }
    const problem = t.throws<Problem>(() => requireLoopbackHost(headers), { instanceOf: Problem }, host)
    t.is(problem?.status, 421)
  }
  t.true(isLoopback('::ffff:127.0.0.1'))
})

test('who may read may not trigger by that, nor the other way around', (t) => {
  const sender = { name: 'scheduler', mayRead: false, mayTrigger: true }
  const status = (act: () => void) => t.throws<Problem>(act, { instanceOf: Problem })?.status
  t.notThrows(() => requireRead(anybody))
  t.is(
    status(() => requireTrigger(anybody)),
    403,
  )
  t.notThrows(() => requireTrigger(sender))
  t.is(
    status(() => requireRead(sender)),
    403,
  )
})
