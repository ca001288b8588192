import test from 'ava'
import { createDatabase } from '../../_support/database.ts'

// Europe/Berlin: the clock goes from 02:00 to 03:00 on 29 March 2026, and from 03:00 back to 02:00 on 25 October.
for (const [localTime, at, expected] of [
  ['05:15', '2026-11-20 04:14:59+00', '2026-11-20 04:15:00+00'],
  ['05:15', '2026-11-20 04:15:00+00', '2026-11-21 04:15:00+00'],
  ['05:15', '2026-03-28 12:00:00+00', '2026-03-29 03:15:00+00'],
  ['05:15', '2026-10-24 12:00:00+00', '2026-10-25 04:15:00+00'],
  ['00:00', '2026-11-20 22:59:59+00', '2026-11-20 23:00:00+00'],
] as const) {
  test(`after ${at} it is next ${localTime} in Berlin at ${expected}`, async (t) => {
    const { sql } = await createDatabase(t)
    await sql`update nms.table_metrics_settings set business_time_zone = 'Europe/Berlin'`

    const [row] = await sql`
      select
        nms_private.next_slot(${localTime}::time, ${at}::timestamptz) = ${expected}::timestamptz as is_next,
        nms_private.latest_slot(${localTime}::time, ${expected}::timestamptz) = ${expected}::timestamptz as is_slot
    `

    t.deepEqual(row, { is_next: true, is_slot: true })
  })
}

test('on the day that a zone skips there is no slot, and after an infinite instant none at all', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`update nms.table_metrics_settings set business_time_zone = 'Pacific/Apia'` // had no 30 December 2011

  const [row] = await sql`
    select
      nms_private.next_slot('05:15', '2011-12-29 20:00:00+00') at time zone 'Pacific/Apia' as next,
      nms_private.next_slot('05:15', 'infinity') as never
  `

  t.deepEqual(row, { next: new Date('2011-12-31T05:15:00Z'), never: null })
})
