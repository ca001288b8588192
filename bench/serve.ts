import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { compose, pinPath } from '../src/connection/search_path.ts'
import { preambleOf } from '../src/serve/preamble.ts'
import type { Given } from '../src/serve/questions/question.ts'
import { questions } from '../src/serve/questions.ts'
import type { Sql } from './_connect.ts'
import { createHistory, tableName } from './_history_data.ts'
import { load } from './_http_load.ts'
import type { Contestant } from './_measure.ts'
import type { Bar, Scenario } from './_scenario.ts'

const sessions = 4
const connections = 16
const gzip = { 'accept-encoding': 'gzip' }
const { schema, table } = tableName(7)

const asked = {
  day: { path: '/v1/days/yesterday', question: '/v1/days/{date}', given: { date: 'yesterday' } },
  trend: {
    path: `/v1/trend?schema=${schema}&table=${table}`,
    question: '/v1/trend',
    given: { schema, table },
  },
  latest: { path: '/v1/latest', question: '/v1/latest', given: {} },
}
const plain = (name: string) => `${name}, passed through`
const few = 'after 10,000 requests'
const many = 'after 100,000 requests'

export const serve: Scenario = {
  name: 'serve',
  title: '20,000 tables x 60 days over HTTP, against node:http that passes the same SQL through',
  bars: [
    ...Object.keys(asked).map(
      (name): Bar => ({ contestant: name, rival: plain(name), metric: 'throughput', atLeast: 0.8 }),
    ),
    { contestant: 'day, not changed', rival: 'day', metric: 'throughput', atLeast: 1 },
    { contestant: many, rival: few, metric: 'resident', atMost: 1.1 },
  ],
  async build(sql: Sql, scale) {
    await createHistory(sql, { tables: 20_000 * scale, runs: 60 })
    let served: Server | undefined
    return [
      ...Object.entries(asked).flatMap(([name, { path }]) => [
        answers(name, startOurs, path),
        answers(plain(name), startPlain, path),
      ]),
      answers('day, not changed', startOurs, asked.day.path, { 'if-none-match': '*' }, 304),
      {
        name: few,
        async turn({ url }) {
          served = await startOurs(url)
          await load(
            { port: served.port, path: asked.trend.path, headers: gzip, connections, requests: 10_000 },
            200,
          )
          return { values: { resident: residentOf(served) } }
        },
      },
      {
        name: many,
        async turn() {
          if (!served) throw new Error('nothing serves')
          await load(
            { port: served.port, path: asked.trend.path, headers: gzip, connections, requests: 90_000 },
            200,
          )
          const resident = residentOf(served)
          await stop(served)
          return { values: { resident } }
        },
      },
    ]
  },
}

interface Server {
  child: ChildProcess
  port: number
}

/** Asks one question for some seconds, of a process that has been asked for some already. */
function answers(
  name: string,
  start: (url: string) => Promise<Server>,
  path: string,
  headers: Record<string, string> = {},
  status = 200,
): Contestant {
  return {
    name,
    async turn({ url }) {
      const server = await start(url)
      try {
        const asking = { port: server.port, path, headers: { ...gzip, ...headers }, connections }
        await load({ ...asking, milliseconds: 2_000 }, status)
        const took = (await load({ ...asking, milliseconds: 5_000 }, status)).sort(
          (one, other) => one - other,
        )
        return { values: { throughput: took.length / 5, p99: took[Math.floor(took.length * 0.99)] ?? 0 } }
      } finally {
        await stop(server)
      }
    },
  }
}

function startOurs(url: string): Promise<Server> {
  return start(['src/cli.ts', 'serve', '--port', '0'], { DATABASE_URL: url })
}

function startPlain(url: string): Promise<Server> {
  const preamble = preambleOf({ role: 'table_metrics_reader', readOnly: true })
  const statements: Record<string, string> = {}
  for (const { path, question, given } of Object.values(asked)) {
    const ask = (parts: TemplateStringsArray, ...values: never[]) => {
      statements[path] = `${pinPath};\n${preamble};\n${compose(parts, values)}`
      return Promise.resolve([])
    }
    void questions.find(({ path }) => path === question)?.answer(ask as never, given as Given)
  }
  return start(['bench/_plain_server.ts'], { PLAIN: JSON.stringify({ url, size: sessions, statements }) })
}

async function start(args: string[], env: Record<string, string>): Promise<Server> {
  const child = spawn(process.execPath, args, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const port = await new Promise<number>((resolve, reject) => {
    let text = ''
    child.stderr?.on('data', (chunk) => {
      text += chunk
      const found = /url: http:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1]
      if (found) resolve(Number(found))
    })
    child.once('exit', () => reject(new Error(text)))
  })
  return { child, port }
}

async function stop({ child }: Server): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await gone
}

/** In MB. */
function residentOf({ child }: Server): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1000
}
