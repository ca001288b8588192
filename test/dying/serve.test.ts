// A service in a process of its own, and what is done to it.
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import ava, { type ExecutionContext } from 'ava'
import { createDatabase } from '../_support/database.ts'
import { eventually, inTime } from '../_support/eventually.ts'
import { createHistory } from '../_support/history.ts'
import { failsClearly, type Running, startTableMetrics, tableMetrics } from '../_support/process.ts'
import { type Link, startProxy } from '../_support/proxy.ts'
import { startOwnServer } from '../_support/server.ts'
import { dialRaw } from '../_support/service.ts'

const test = ava.serial

interface Served {
  url: string
  port: number
  process: Running
  get(path: string): Promise<Response>
  /** Of the process, in MiB. */
  memory(): number
}

async function serve(t: ExecutionContext, databaseUrl: string, args: string[] = []): Promise<Served> {
  const process = startTableMetrics(t, databaseUrl, ['serve', '--port', '0', ...args])
  await eventually(async () => /url: http/.test(process.stderr()), 'it serves')
  const [, url = ''] = /url: (http:[^)]+)\)/.exec(process.stderr()) ?? []
  return {
    url,
    port: Number(new URL(url).port),
    process,
    get: (path) => fetch(url + path),
    memory: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${process.pid}/status`, 'utf8'))?.[1]) / 1024,
  }
}

/** A payload of some megabytes. */
async function largeHistory(t: ExecutionContext) {
  const db = await createDatabase(t)
  await db.sql`
    select from nms.import_run(nms.business_date(), (
      select jsonb_build_object('s', jsonb_object_agg(format('table with a long name, number %s', n), n))
      from generate_series(1, 100000) as n
    ))
  `
  return db
}

/** Keeps every question waiting until it is let go. */
async function shutDoor(db: Awaited<ReturnType<typeof createDatabase>>) {
  const [shut, open] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holding = db.connect().begin(async (transaction) => {
    await transaction`lock table nms.table_metrics_daily_snapshot in access exclusive mode`
    shut.resolve()
    await open.promise
  })
  await shut.promise
  return {
    untilAsked: (how: number) =>
      eventually(async () => {
        const waiting = await db.sql`
          select from pg_locks
          where not granted and relation = 'nms.table_metrics_daily_snapshot'::regclass
        `
        return waiting.length === how
      }, `${how} questions wait`),
    async open() {
      open.resolve()
      await holding
    },
  }
}

async function stops(t: ExecutionContext, { process }: Served, seconds: number): Promise<void> {
  const finished = await inTime(seconds, process.finished, 'it has stopped')
  t.is(finished.status, 0, finished.stderr)
  t.regex(finished.stderr, /serving stopped \(reason: stopped by SIGTERM\)/)
}

test('at SIGTERM what has been asked is answered, connections that are kept alive are closed, and it ends at once', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const service = await serve(t, db.url)
  t.is((await service.get('/v1/today')).status, 200) // fetch keeps its connection
  const idle = await dialRaw(t, service.port)
  const unused = await dialRaw(t, service.port)
  idle.socket.write('GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await eventually(async () => idle.received().includes('live'), 'one is kept alive')
  const door = await shutDoor(db)
  const asking = await dialRaw(t, service.port)
  asking.socket.write('GET /v1/today HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await door.untilAsked(1)

  service.process.kill('SIGTERM')
  await idle.closed
  await unused.closed
  await door.open()

  t.regex(await asking.closed, /^HTTP\/1\.1 200 [\s\S]*connection: close[\s\S]*"run_id": 1/i)
  await stops(t, service, 5)
})

test('at SIGTERM it waits ten seconds at most for half a request, and for whoever does not read', async (t) => {
  const db = await largeHistory(t)
  const service = await serve(t, db.url)
  const half = await dialRaw(t, service.port)
  half.socket.write('GET /v1/today HTTP/1.1\r\nHost: loc')
  const deaf = await dialRaw(t, service.port)
  deaf.socket.pause()
  deaf.socket.write('GET /v1/today HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await sleep(1_000)

  service.process.kill('SIGTERM')

  await stops(t, service, 12)
})

test('a question that never ends is cancelled on the server when it stops', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const service = await serve(t, db.url)
  const door = await shutDoor(db)
  const asking = await dialRaw(t, service.port)
  asking.socket.write('GET /v1/today HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await door.untilAsked(1)

  service.process.kill('SIGTERM')

  t.regex(await asking.closed, /^(HTTP\/1\.1 503 |$)/)
  await stops(t, service, 12)
  await door.open()
})

test('ten thousand connections on which nobody says anything, and ten thousand kept alive, do no harm', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const service = await serve(t, db.url)
  t.is((await service.get('/v1/today')).status, 200)
  const sockets: Socket[] = []
  for (let n = 0; n < 100; n++) {
    const some = await Promise.all(Array.from({ length: 100 }, () => dialRaw(t, service.port)))
    sockets.push(...some.map(({ socket }) => socket))
  }
  t.is(sockets.length, 10_000)
  t.is((await service.get('/v1/today')).status, 200)
  for (const socket of sockets) socket.write('GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await eventually(
    async () => sockets.every(({ bytesRead, destroyed }) => bytesRead > 0 || destroyed),
    'all are answered',
  )

  t.true(sockets.filter(({ bytesRead }) => bytesRead > 0).length > 9_000)
  t.is((await service.get('/v1/today')).status, 200)
  t.true(service.memory() < 500, `${service.memory()} MiB`)
  service.process.kill('SIGTERM')
  await stops(t, service, 10)
})

test('headers byte by byte, bodies byte by byte, 100 MB that nobody asked for: others are answered meanwhile', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const service = await serve(t, db.url)
  t.is((await service.get('/v1/today')).status, 200)
  const before = service.memory()
  const slow = await Promise.all(Array.from({ length: 200 }, () => dialRaw(t, service.port)))
  for (const [n, { socket }] of slow.entries()) {
    socket.write(
      n % 2
        ? 'GET /v1/today HTTP/1.1\r\nX: '
        : 'POST /v1/today HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n',
    )
  }
  const dripping = setInterval(() => {
    for (const { socket } of slow) if (socket.writable) socket.write('x')
  }, 100)
  t.teardown(() => clearInterval(dripping))
  const flood = Buffer.alloc(1_000_000, 'x')
  const floods = await Promise.all(Array.from({ length: 4 }, () => dialRaw(t, service.port)))
  for (const { socket } of floods) {
    socket.write(
      'POST /v1/nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n',
    )
    for (let n = 0; n < 100; n++) socket.write(flood)
  }

  for (let n = 0; n < 20; n++) t.is((await service.get('/v1/today')).status, 200)
  await Promise.all(slow.map(({ closed }) => closed)) // the service gives up on them
  for (const [n, { received }] of slow.entries())
    t.regex(received(), n % 2 ? /^HTTP\/1\.1 4(08|31) / : /^HTTP\/1\.1 405 /)
  for (const { received } of floods) t.regex(received(), /^HTTP\/1\.1 404 /)
  t.true(service.memory() < before + 200, `${before} MiB, then ${service.memory()} MiB`)
  t.is((await service.get('/v1/today')).status, 200)
})

test('clients that do not read what they asked for do not keep it in memory for ever', async (t) => {
  const db = await largeHistory(t)
  const service = await serve(t, db.url)
  t.is((await service.get('/v1/today')).status, 200)
  const deaf = await Promise.all(Array.from({ length: 20 }, () => dialRaw(t, service.port)))
  for (const { socket } of deaf) {
    socket.pause()
    socket.write('GET /v1/today HTTP/1.1\r\nHost: localhost\r\n\r\n')
  }
  for (let n = 0; n < 5; n++) t.is((await service.get('/v1/today')).status, 200)

  for (const { socket } of deaf) socket.destroy()
  for (let n = 0; n < 20; n++) t.is((await service.get('/live')).status, 200)
  t.true(service.memory() < 600, `${service.memory()} MiB`)
})

test('a server that starts again between two requests costs nobody an answer', async (t) => {
  const server = await startOwnServer()
  t.teardown(server.remove)
  const db = await createHistory(t, { 0: { s: { t: 1 } } }, server.createDatabase)
  const service = await serve(t, db.url)
  const four = async () =>
    (await Promise.all([1, 2, 3, 4].map(() => service.get('/v1/today')))).map(({ status }) => status)
  t.deepEqual(await four(), [200, 200, 200, 200])

  await server.stop('immediate')
  t.is((await service.get('/v1/today')).status, 503)
  t.is((await service.get('/live')).status, 200)
  await server.start()

  t.deepEqual(await four(), [200, 200, 200, 200])
})

test('a link that goes silent is told as such within a minute, and the next question goes over another', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const link: Link = await startProxy(t, db.url)
  const service = await serve(t, link.url)
  t.is((await service.get('/v1/today')).status, 200)

  link.silence()

  const answers = await inTime(
    60,
    Promise.all([1, 2, 3, 4].map(() => service.get('/v1/today'))),
    'all are answered',
  )
  t.true(answers.every(({ status }) => status === 503 || status === 200))
  t.is((await service.get('/v1/today')).status, 200)
  link.forget()
})

test('it listens for others only when it knows who asks', async (t) => {
  const { url } = await createDatabase(t)

  for (const host of ['0.0.0.0', '::', '']) {
    failsClearly(
      t,
      await tableMetrics(t, url, ['serve', '--port', '0', '--host', host]),
      'no authentication',
      '--token-file',
    )
  }
})

test('what it cannot listen on is told in one line', async (t) => {
  const db = await createHistory(t, { 0: { s: { t: 1 } } })
  const { port } = await serve(t, db.url)

  failsClearly(t, await tableMetrics(t, db.url, ['serve', '--port', String(port)]), String(port), '--port')
})
