import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { readAuthentication } from '../../../src/serve/authentication/settings.ts'
import { parseTokens } from '../../../src/serve/authentication/token_file.ts'
import { ask, basic, bearer, statusFor, takeNotes } from '../../_support/callers.ts'

const reading = 'q2Rk0uQ7lqv5nX3mB1sW9zYcT8dF4hJ6'
const triggering = 'Zt_7-p~9+k/2w=LmN4bV6cX8zA0sD3f='
const other = 'another-token-of-good-length-0001'

test('a token is sent as Bearer, or as the password of any user', async (t) => {
  const { authentication } = await withTokens(t, `${reading}\n${triggering} trigger\n`)
  const reader = { name: 'the token in line 1', mayRead: true, mayTrigger: false }
  t.deepEqual(await ask(authentication, bearer(reading)), reader)
  t.deepEqual(await ask(authentication, { authorization: `bEARER   ${reading}` }), reader)
  t.deepEqual(await ask(authentication, basic(`:${reading}`)), reader)
  t.deepEqual(await ask(authentication, basic(`jörg ☃:${reading}`)), reader)
  t.deepEqual(await ask(authentication, bearer(triggering)), {
    name: 'the token in line 2',
    mayRead: true,
    mayTrigger: true,
  })
})

test('whoever sends no token, or anything else, is not let in', async (t) => {
  const { authentication, lines } = await withTokens(t, `${reading}\n`)
  const without = await ask(authentication, {})
  t.like(without, { status: 401 })
  t.is(
    (without as { headers: Record<string, string> }).headers['www-authenticate'],
    'Basic realm="table metrics", charset="UTF-8", Bearer realm="table metrics"',
  )
  t.deepEqual(lines, [], 'a browser asks without first')

  for (const headers of [
    bearer(other),
    bearer(`${reading}x`),
    bearer(reading.slice(1)),
    bearer(reading.toLowerCase()),
    bearer(`${reading},${reading}`),
    bearer('x'.repeat(16_000)),
    bearer(''),
    basic(`${reading}:`),
    basic(reading),
    basic(`user:more:${reading}`),
    basic(`user:${reading}:`),
    { authorization: `Basic ${reading}` },
    { authorization: `Token ${reading}` },
    { authorization: reading },
    { authorization: `Bearer ${reading} ${reading}` },
    { authorization: `Bearer\u00a0${reading}` },
    { authorization: '' },
  ]) {
    t.is(await statusFor(authentication, headers), 401, JSON.stringify(headers))
  }
  t.false(
    lines.join().includes(reading.slice(0, 8)) && !lines.join().includes('Bearer'),
    'no token in the log',
  )
})

test('neither the log nor the answer has a token, right or wrong', async (t) => {
  const { authentication, lines } = await withTokens(t, `${reading}\n`)
  const outcome = await ask(authentication, bearer(other))
  t.is(lines.length, 1)
  for (const token of [reading, other]) t.false(`${JSON.stringify(outcome)}${lines}`.includes(token))
})

test('of two Authorization headers the first decides', async (t) => {
  const { authentication } = await withTokens(t, `${reading}\n`)
  const server = createServer(async (request, response) => {
    const address = request.socket.remoteAddress ?? ''
    response.end(`status ${await statusFor(authentication, request.headers, address)}`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  t.regex(
    await send(port, [`Authorization: Bearer ${reading}`, `Authorization: Bearer ${other}`]),
    /status 200/,
  )
  t.regex(
    await send(port, [`Authorization: Bearer ${other}`, `Authorization: Bearer ${reading}`]),
    /status 401/,
  )
  t.regex(await send(port, [`Authorization: Bearer ${'x'.repeat(100_000)}`]), /^HTTP\/1.1 431 /)
})

test('comments, blank lines, tabs and the line ends of Windows are as good', (t) => {
  const text = `\uFEFF# who reads\r\n\r\n${reading} # Grafana\r\n\t${triggering}\ttrigger\t# the scheduler\r\n   \r\n${other}`
  t.deepEqual(
    parseTokens(text).map(({ line, mayTrigger }) => [line, mayTrigger]),
    [
      [3, false],
      [4, true],
      [6, false],
    ],
  )
})

test('a line that is wrong is named, and never shown', (t) => {
  const wrong: [text: string, message: RegExp][] = [
    [`${reading}\nshort\n`, /^line 2: expected a token of at least 16 letters/],
    [`# one\n\nsome secret phrase of words\n`, /^line 3: /],
    [`with.dots.as.signed.tokens.have\n`, /^line 1: /],
    [`${reading} admin\n`, /^line 1: expected nothing behind the token, or trigger$/],
    [`${reading} trigger trigger\n`, /^line 1: expected nothing/],
    [`${reading}\n\n${reading} trigger\n`, /^line 3: expected another token than in line 1$/],
    ['\n# nothing\n', /^expected a token in some line, saw none$/],
    ['', /saw none/],
  ]
  for (const [text, message] of wrong) {
    const error = t.throws(() => parseTokens(text), { message })
    for (const secret of [reading, 'short', 'secret', 'admin', 'dots'])
      t.false(error.message.includes(secret))
  }
})

test('tokens are exchanged while it runs, with both for a while', async (t) => {
  const { authentication, file, lines } = await withTokens(t, `${reading}\n`)
  await writeFile(file, `${reading}\n${other}\n`)
  t.is(await statusFor(authentication, bearer(other)), 200)
  t.is(await statusFor(authentication, bearer(reading)), 200)
  await writeFile(file, `${other}\n`)
  t.is(await statusFor(authentication, bearer(reading)), 401)
  t.is(await statusFor(authentication, bearer(other)), 200)
  t.deepEqual(lines.slice(0, 2), [`${file}: read again, 2 tokens`, `${file}: read again, 1 token`])
})

test('a link that leads to another file is another file, as in Kubernetes', async (t) => {
  const folder = await makeFolder(t)
  for (const [version, token] of [
    ['v1', reading],
    ['v2', other],
  ] as const) {
    await mkdir(join(folder, version))
    await writeFile(join(folder, version, 'tokens'), token, { mode: 0o600 })
  }
  await symlink('v1', join(folder, '..data'))
  await symlink('..data/tokens', join(folder, 'tokens'))
  const authentication = readAuthentication({
    tokenFile: join(folder, 'tokens'),
    environment: {},
    log: takeNotes().log,
  })
  t.is(await statusFor(authentication, bearer(reading)), 200)
  await symlink('v2', join(folder, 'next'))
  await rename(join(folder, 'next'), join(folder, '..data'))
  t.is(await statusFor(authentication, bearer(reading)), 401)
  t.is(await statusFor(authentication, bearer(other)), 200)
})

test('while a changed file cannot be used the former tokens stay, and the log says so once', async (t) => {
  const { authentication, file, lines } = await withTokens(t, `${reading}\n`)
  for (const broken of [`${other}\noops\n`, '', '# all gone\n']) {
    await writeFile(file, broken)
    t.is(await statusFor(authentication, bearer(reading)), 200)
    t.is(await statusFor(authentication, bearer(reading)), 200)
    t.is(await statusFor(authentication, bearer(other)), 401)
  }
  await rm(file)
  t.is(await statusFor(authentication, bearer(reading)), 200)
  t.is(await statusFor(authentication, bearer(reading)), 200)
  await mkdir(file)
  t.is(await statusFor(authentication, bearer(reading)), 200)
  await rm(file, { recursive: true })
  await writeFile(file, `${other}\n`, { mode: 0o600 })
  t.is(await statusFor(authentication, bearer(reading)), 401)
  t.is(await statusFor(authentication, bearer(other)), 200)

  const notices = lines.filter((line) => line.includes('the former tokens stay'))
  t.is(notices.length, 5)
  t.is(
    notices[0],
    `token file ${file}: line 2: expected a token of at least 16 letters, digits and - _ ~ + / =; the former tokens stay`,
  )
})

test('a file that anybody may read is used, with a line in the log', async (t) => {
  const { file, lines } = await withTokens(t, reading, 0o644)
  t.deepEqual(lines, [`${file}: any user may read it; mend it with: chmod 0600 ${file}`])
  const { authentication, file: mended, lines: later } = await withTokens(t, reading, 0o640)
  t.deepEqual(later, [])
  await chmod(mended, 0o604)
  await statusFor(authentication, bearer(reading))
  t.is(later.length, 2)
})

test('without a file that can be used it does not start', async (t) => {
  const folder = await makeFolder(t)
  const start = (tokenFile: string) => () =>
    readAuthentication({ tokenFile, environment: {}, log: takeNotes().log })
  t.throws(start(join(folder, 'none')), { message: /^token file .*none: ENOENT/ })
  t.throws(start(folder), { message: `token file ${folder}: expected a file` })
  const pipe = join(folder, 'pipe')
  await promisify(execFile)('mkfifo', [pipe])
  t.throws(start(pipe), { message: `token file ${pipe}: expected a file` })
  await writeFile(join(folder, 'short'), 'short')
  t.throws(start(join(folder, 'short')), { message: /^token file .*short: line 1: expected a token/ })
})

async function withTokens(t: ExecutionContext, text: string, mode = 0o600) {
  const file = join(await makeFolder(t), 'tokens')
  await writeFile(file, text)
  await chmod(file, mode)
  const { log, lines } = takeNotes()
  return { file, lines, authentication: readAuthentication({ tokenFile: file, environment: {}, log }) }
}

async function makeFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-tokens-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** The whole answer to a request with header lines as they stand. */
function send(port: number, lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1')
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('close', () => (answer ? resolve(answer) : reject(new Error('closed without an answer'))))
    socket.on('error', () => undefined)
    socket.write(['GET / HTTP/1.1', 'Host: localhost', 'Connection: close', ...lines, '', ''].join('\r\n'))
  })
}
