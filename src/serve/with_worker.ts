import { runWorker, type WorkerOptions } from '../worker/worker.ts'

/**
 * Serves, and runs a worker in the same process, until the signal aborts. When one of them fails, the other ends too.
 *
 * @param serving ends when its signal aborts
 * @throws what the first of them throws
 */
export async function withWorker(
  serving: (signal: AbortSignal) => Promise<void>,
  options: WorkerOptions,
): Promise<void> {
  const failure = new AbortController()
  const signal = AbortSignal.any([options.signal, failure.signal])
  const both = [serving(signal), runWorker({ ...options, signal })]
  for (const each of both) each.catch((error) => failure.abort(error))
  await Promise.allSettled(both)
  if (failure.signal.aborted) throw failure.signal.reason
}
