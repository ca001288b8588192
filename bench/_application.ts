import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** What an application does all day: point reads and writes, one after the other on each of its connections. */
export interface Application {
  /** Watches it for a while. */
  observe(milliseconds: number): Promise<Observation>
  stop(): Promise<void>
}

export interface Observation {
  /** Statements in a second. */
  throughput: number
  /** In milliseconds: 99 of 100 statements took no longer. */
  p99: number
  longest: number
}

export interface ApplicationOptions {
  url: string
  connections: number
  /** Quoted names; the ids of each are 1 to `rows`. */
  tables: string[]
  rows: number
}

/** Starts one in a thread of its own, where the event loop of whoever counts does not hold it up. */
export async function startApplication(options: ApplicationOptions): Promise<Application> {
  const worker = new Worker(new URL('_application_worker.ts', import.meta.url), { workerData: options })
  await once(worker, 'message') // it is running
  return {
    async observe(milliseconds) {
      worker.postMessage({ observe: milliseconds })
      const [observation] = await once(worker, 'message')
      return observation
    },
    async stop() {
      worker.postMessage('stop')
      await once(worker, 'exit')
    },
  }
}
