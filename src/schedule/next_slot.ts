import type { ParsedCronItem } from 'graphile-worker'
import type { Sql } from '../connection/database.ts'

/** True when a line of a schedule fires in the minute of this instant. */
export function firesAt({ match }: ParsedCronItem, at: Date): boolean {
  return match({
    min: at.getUTCMinutes(),
    hour: at.getUTCHours(),
    date: at.getUTCDate(),
    month: at.getUTCMonth() + 1,
    dow: at.getUTCDay(),
  })
}

/** When a schedule has something to do next, and which of its lines; undefined when it never has. */
export async function nextSlot(
  sql: Sql,
  items: readonly ParsedCronItem[],
  now = new Date(),
): Promise<{ next: string; schedule: string } | undefined> {
  const slots: { next: string; schedule: string }[] = []
  for (const item of items) {
    const next = firstFrom(item, await beginning(sql, item, now))
    if (next) slots.push({ next: next.toISOString(), schedule: item.identifier })
  }
  return slots.sort((one, other) => (one.next < other.next ? -1 : 1))[0]
}

/** From when on a line may have something to do: one with a local time looks often, and is due once a day. */
async function beginning(sql: Sql, { payload }: ParsedCronItem, now: Date): Promise<Date> {
  const { localTime } = (payload ?? {}) as { localTime?: unknown }
  if (typeof localTime !== 'string') return new Date(now.getTime() + minute)
  const [{ slot }] = await sql<[{ slot: Date }]>`
    select nms_private.next_slot(local_time => ${localTime}::time, at => ${now.toISOString()}::timestamptz) as slot
  `
  return new Date(Math.ceil(slot.getTime() / minute) * minute)
}

const minute = 60_000

/** Eight years have every date that there is. */
function firstFrom(item: ParsedCronItem, from: Date): Date | undefined {
  const first = Math.floor(from.getTime() / minute)
  for (let n = 0; n < 8 * 366 * 24 * 60; n++) {
    const at = new Date((first + n) * minute)
    if (firesAt(item, at)) return at
  }
}
