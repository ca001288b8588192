import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import postgres from 'postgres'
import type { ApplicationOptions, Observation } from './_application.ts'

const { url, connections, tables, rows } = workerData as ApplicationOptions
let stopped = false
let observed: number[] = []

parentPort?.on('message', async (message: 'stop' | { observe: number }) => {
  if (message === 'stop') stopped = true
  else parentPort?.postMessage(await observe(message.observe))
})
const sessions = Array.from({ length: connections }, () => postgres(url, { max: 1 }))
const work = Promise.all(sessions.map(serve))
await sleep(500) // connected, its statements prepared
parentPort?.postMessage('running')
await work
await Promise.all(sessions.map((sql) => sql.end()))
parentPort?.close()

async function serve(sql: postgres.Sql): Promise<void> {
  while (!stopped) {
    const table = sql.unsafe(tables[below(tables.length)] as string)
    const id = 1 + below(rows)
    await measured(sql`select * from ${table} where id = ${id}`)
    await measured(sql`update ${table} set amount = amount + 1, changed_at = now() where id = ${id}`)
  }
}

async function measured(statement: Promise<unknown>): Promise<void> {
  const start = performance.now()
  await statement
  observed.push(performance.now() - start)
}

async function observe(milliseconds: number): Promise<Observation> {
  observed = []
  const start = performance.now()
  await sleep(milliseconds)
  const times = Float64Array.from(observed).sort()
  return {
    throughput: (times.length * 1000) / (performance.now() - start),
    p99: times[Math.floor(times.length * 0.99)] ?? Number.NaN,
    longest: times.at(-1) ?? Number.NaN,
  }
}

function below(limit: number): number {
  return Math.floor(Math.random() * limit)
}
