import type { TestDatabase } from './database.ts'

/** Listens for alerts. What it returns gives those that have arrived by then, in this order. */
export async function listen({
  sql,
  connect,
}: TestDatabase): Promise<() => Promise<Record<string, unknown>[]>> {
  const payloads: string[] = []
  let wake = () => {}
  await connect().listen('nms_alerts', (payload) => {
    payloads.push(payload)
    wake()
  })
  return async () => {
    // Notifications arrive in the order in which transactions commit.
    await sql.notify('nms_alerts', 'that is all')
    while (payloads.at(-1) !== 'that is all')
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    return payloads.filter((payload) => payload !== 'that is all').map((payload) => JSON.parse(payload))
  }
}
