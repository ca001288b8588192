import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'

const setZone = (sql: Sql, zone: string) =>
  sql`update nms.table_metrics_settings set business_time_zone = ${zone}`

const latestSlot = async (sql: Sql, time: string, at: string) => {
  const [{ slot }] = await sql<[{ slot: Date | null }]>`
    select nms_private.latest_slot(local_time => ${time}::text::time, at => ${at}::text::timestamptz) as slot
  `
  return slot?.toISOString().replace(':00.000Z', 'Z') ?? null
}

// Four days around a change of clocks, from midnight to midnight in UTC.
const changes: [zone: string, what: string, firstDay: string, ...times: string[]][] = [
  ['Europe/Berlin', 'the day has 23 hours', '2026-03-27', '05:15', '02:30', '00:00', '23:59'],
  ['Europe/Berlin', 'the day has 25 hours', '2026-10-23', '05:15', '02:30', '00:00', '23:59'],
  ['America/New_York', 'the day has 23 hours', '2026-03-06', '05:15', '02:30', '00:00'],
  ['America/New_York', 'the day has 25 hours', '2026-10-30', '05:15', '01:30', '00:00'],
  ['Asia/Kathmandu', 'nothing changes', '2026-03-27', '05:15', '00:00', '05:45'],
  ['Australia/Lord_Howe', 'the day has 23.5 hours', '2026-10-02', '05:15', '02:15', '02:00'],
  ['Australia/Lord_Howe', 'the day has 24.5 hours', '2026-04-03', '05:15', '01:45', '02:00'],
  ['America/Sao_Paulo', 'the day has no midnight', '2018-11-02', '05:15', '00:00', '00:30'],
  ['America/Sao_Paulo', 'the last hour comes twice', '2018-02-16', '05:15', '23:30', '00:00'],
  ['America/St_Johns', 'a day comes back after a minute', '2010-11-05', '05:15', '23:30', '00:00'],
  ['Pacific/Apia', 'there is no December 30', '2011-12-28', '05:15', '00:00', '23:30'],
]

for (const [zone, what, firstDay, ...times] of changes) {
  test(`${zone}, where ${what}: one slot for each date that there is, found at every minute`, async (t) => {
    const { sql } = await createDatabase(t)
    await setZone(sql, zone)
    for (const time of times) {
      const wrong = await sql`
        with
        minute as materialized (
          select at, at at time zone ${zone} as local
          from generate_series(
            ${firstDay}::text::timestamptz - interval '3 days',
            ${firstDay}::text::timestamptz + interval '5 days',
            interval '1 minute'
          ) as at
        ),
        -- The last minute that shows this time, or, where the clocks leave it out, as many minutes
        -- after the last one before it as if they had gone on.
        expected as materialized (
          select
            coalesce(
              max(at) filter (where local = day + ${time}::text::time),
              max(at) filter (where local < day + ${time}::text::time)
                + (day + ${time}::text::time - max(local) filter (where local < day + ${time}::text::time))
            ) as slot
          from (select distinct local::date as day from minute) as days
          cross join minute
          where local between day - interval '1 day' and day + interval '1 day'
          group by day
        )
        select at, local, nms_private.latest_slot(local_time => ${time}::text::time, at => at) as seen, latest.slot as expected
        from minute
        cross join lateral (select max(slot) as slot from expected where slot <= minute.at) as latest
        where
          at >= ${firstDay}::text::timestamptz
          and at < ${firstDay}::text::timestamptz + interval '4 days'
          and nms_private.latest_slot(local_time => ${time}::text::time, at => at) is distinct from latest.slot
        order by at
        limit 3
      `
      t.deepEqual([...wrong], [], `${time} in ${zone}`)
    }
  })
}

test('a slot is the instant that a calendar of that zone says', async (t) => {
  const { sql } = await createDatabase(t)
  for (const [zone, time, at, slot] of [
    // The instant itself, and the minute before it.
    ['Europe/Berlin', '05:15', '2026-07-01T03:15Z', '2026-07-01T03:15Z'],
    ['Europe/Berlin', '05:15', '2026-07-01T03:14Z', '2026-06-30T03:15Z'],
    ['Europe/Berlin', '05:15', '2026-03-29T03:15Z', '2026-03-29T03:15Z'],
    ['Europe/Berlin', '05:15', '2026-10-25T04:14Z', '2026-10-24T03:15Z'],
    ['Europe/Berlin', '05:15', '2026-10-25T04:15Z', '2026-10-25T04:15Z'],
    // 02:30 does not come on the one day, and comes twice on the other.
    ['Europe/Berlin', '02:30', '2026-03-29T12:00Z', '2026-03-29T01:30Z'],
    ['Europe/Berlin', '02:30', '2026-10-25T12:00Z', '2026-10-25T01:30Z'],
    ['Europe/Berlin', '02:30', '2026-10-25T01:00Z', '2026-10-24T00:30Z'],
    ['America/New_York', '05:15', '2026-11-01T10:15Z', '2026-11-01T10:15Z'],
    ['America/New_York', '05:15', '2026-10-31T09:15Z', '2026-10-31T09:15Z'],
    ['Asia/Kathmandu', '05:15', '2026-11-20T00:00Z', '2026-11-19T23:30Z'],
    ['Australia/Lord_Howe', '05:15', '2026-10-03T19:00Z', '2026-10-03T18:15Z'],
    ['Australia/Lord_Howe', '05:15', '2026-10-02T19:00Z', '2026-10-02T18:45Z'],
    ['Pacific/Apia', '05:15', '2011-12-30T09:59Z', '2011-12-29T15:15Z'],
    ['Pacific/Apia', '05:15', '2011-12-30T12:00Z', '2011-12-29T15:15Z'],
    ['Pacific/Apia', '05:15', '2011-12-30T15:15Z', '2011-12-30T15:15Z'],
    ['UTC', '00:00', '2026-12-31T23:59Z', '2026-12-31T00:00Z'],
    ['UTC', '23:59', '2027-01-01T00:00Z', '2026-12-31T23:59Z'],
  ] as const) {
    await setZone(sql, zone)
    t.is(await latestSlot(sql, time, at), slot, `${time} in ${zone}, at ${at}`)
  }
})

test("the session's own time zone makes no difference", async (t) => {
  const { sql, connect } = await createDatabase(t)
  await setZone(sql, 'America/New_York')
  for (const zone of ['Pacific/Kiritimati', 'Pacific/Pago_Pago']) {
    const session = connect({ connection: { TimeZone: zone } })
    t.is(await latestSlot(session, '05:15', '2026-11-20T10:14Z'), '2026-11-19T10:15Z', zone)
  }
})

test('without an instant the latest slot is that of now', async (t) => {
  const { sql } = await createDatabase(t)
  const [row] = await sql`
    select
      nms_private.latest_slot(local_time => '05:15') <= now() as is_past,
      nms_private.latest_slot(local_time => '05:15') > now() - interval '25 hours' as is_of_the_last_day
  `
  t.deepEqual({ ...row }, { is_past: true, is_of_the_last_day: true })
})

test('a change of the business time zone counts from the next look on', async (t) => {
  const { sql } = await createDatabase(t)
  const at = '2026-11-20T12:00Z'
  const seen = []
  for (const zone of ['America/New_York', 'Europe/Berlin', 'Asia/Tokyo']) {
    await setZone(sql, zone)
    seen.push(await latestSlot(sql, '05:15', at))
  }
  t.deepEqual(seen, ['2026-11-20T10:15Z', '2026-11-20T04:15Z', '2026-11-19T20:15Z'])
})

test('no time of day comes before an instant that is infinite', async (t) => {
  const { sql } = await createDatabase(t)
  await setZone(sql, 'UTC')

  t.is(await latestSlot(sql, '05:15', 'infinity'), null)
  t.is(await latestSlot(sql, '05:15', '-infinity'), null)
})
