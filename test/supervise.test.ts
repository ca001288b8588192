import test from 'ava'
import { run } from './_support/process.ts'

// In a process of its own: what nobody catches there would end this one.
const program = (sessions: string) => `
  import { supervise } from '${new URL('../src/worker/supervise.ts', import.meta.url)}'
  process.on('uncaughtException', () => { console.log('somebody else'); process.exit(9) })
  const forever = (signal) => new Promise((resolve) => {
    const timer = setInterval(() => undefined, 1000)
    signal.addEventListener('abort', () => { clearInterval(timer); resolve() })
  })
  const sessions = ${sessions}
  const stop = new AbortController()
  let count = 0
  await supervise(
    async (signal) => {
      console.log('session', ++count)
      await (sessions.shift() ?? (() => stop.abort()))(signal)
    },
    {
      signal: stop.signal,
      isFatal: (error) => error.message === 'fatal',
      onRestart: (error, seconds) => console.log(error.message, seconds),
    },
  ).catch((error) => console.log('thrown:', error.message))
`

const ends: Record<string, string> = {
  'a session that fails': `[() => Promise.reject(new Error('it failed'))]`,
  'an error that nobody caught': `[(signal) => { setTimeout(() => { throw new Error('it failed') }); return forever(signal) }]`,
  'a rejection that nobody handled': `[(signal) => { Promise.reject(new Error('it failed')); return forever(signal) }]`,
}

for (const [what, sessions] of Object.entries(ends)) {
  test(`${what} leads to one fresh start, told once`, async (t) => {
    const { status, stdout } = await run(t, process.execPath, [
      '--input-type=module',
      '-e',
      program(sessions),
    ])

    t.is(stdout, 'session 1\nit failed 1\nsession 2\n')
    t.is(status, 0)
  })
}

test('a session that ends by itself leads to a fresh start as well', async (t) => {
  const { stdout } = await run(t, process.execPath, [
    '--input-type=module',
    '-e',
    program('[() => Promise.resolve()]'),
  ])

  t.regex(stdout, /^session 1\n.+ 1\nsession 2\n$/)
})

test('each failure in a row doubles the wait', async (t) => {
  const fail = `() => Promise.reject(new Error('no'))`
  const { stdout } = await run(t, process.execPath, [
    '--input-type=module',
    '-e',
    program(`[${fail}, ${fail}, ${fail}]`),
  ])

  t.is(stdout, 'session 1\nno 1\nsession 2\nno 2\nsession 3\nno 4\nsession 4\n')
})

test('what no fresh start mends is thrown', async (t) => {
  const { stdout } = await run(t, process.execPath, [
    '--input-type=module',
    '-e',
    program(`[() => Promise.reject(new Error('fatal'))]`),
  ])

  t.is(stdout, 'session 1\nthrown: fatal\n')
})
