import test, { type ExecutionContext } from 'ava'
import { collect, createDatabase, type Run, type Sql } from '../../_support/database.ts'

const zones = ['America/New_York', 'Asia/Kolkata', 'Pacific/Auckland']
const sessionZones = ['UTC', 'Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Asia/Tokyo', 'America/New_York']
const minute = 60_000

const formats = new Map<string, Intl.DateTimeFormat>()

/** The date of an instant in a zone, as JavaScript knows it. */
function dateIn(zone: string, at: number | Date): string {
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })
  formats.set(zone, format)
  return format.format(at)
}

/** The first instant of each day in a zone that begins between two instants. */
function midnights(zone: string, from: number, to: number): number[] {
  const found: number[] = []
  for (let before = from; before < to; before += 15 * minute) {
    if (dateIn(zone, before) === dateIn(zone, before + 15 * minute)) continue
    let [low, high] = [before, before + 15 * minute]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (dateIn(zone, middle) === dateIn(zone, before)) low = middle
      else high = middle
    }
    found.push(high)
  }
  return found
}

const setBusinessZone = (sql: Sql, zone: string) =>
  sql`update nms.table_metrics_settings set business_time_zone = ${zone}`

async function expectDates(t: ExecutionContext, sql: Sql, zone: string, instants: number[]) {
  const at = instants.map((instant) => new Date(instant).toISOString())
  const rows = await sql<{ day: string }[]>`
    select nms.business_date(at) as day from unnest(${at}::text[]::timestamptz[]) with ordinality as given (at, position)
    order by position
  `
  t.deepEqual(
    rows.map(({ day }, position) => `${at[position]} ${day}`),
    instants.map((instant, position) => `${at[position]} ${dateIn(zone, instant)}`),
  )
}

for (const zone of zones) {
  test(`in ${zone} each day of a year lasts until 23:59:59 and the next begins at 00:00:00`, async (t) => {
    const { sql } = await createDatabase(t)
    await setBusinessZone(sql, zone)
    const starts = midnights(zone, Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1))
    t.is(starts.length, 365)

    await expectDates(
      t,
      sql,
      zone,
      starts.flatMap((start) => [start - 1000, start - 1, start, start + 1]),
    )
  })
}

// The day before, the day itself and the day after each change of the clock, every 15 minutes.
for (const [zone, changes] of [
  ['America/New_York', ['2026-03-08', '2026-11-01']],
  ['Pacific/Auckland', ['2026-04-05', '2026-09-27']],
  ['Asia/Kolkata', ['2026-03-29', '2026-10-25']],
] as const) {
  test(`in ${zone} every quarter of an hour around ${changes.join(' and ')} belongs to its local day`, async (t) => {
    const { sql } = await createDatabase(t)
    await setBusinessZone(sql, zone)

    for (const change of changes) {
      const noon = Date.parse(`${change}T12:00:00Z`)
      const quarters = Array.from(
        { length: 2 * 48 * 4 + 1 },
        (_, step) => noon + (step - 48 * 4) * 15 * minute,
      )
      await expectDates(t, sql, zone, quarters)
    }
  })
}

test('the days on which the clock changes are as long as they are in New York and Auckland', async (t) => {
  const { sql } = await createDatabase(t)

  for (const [zone, day, first, last] of [
    ['America/New_York', '2026-03-08', '2026-03-08T05:00:00Z', '2026-03-09T03:59:59Z'], // 23 hours
    ['America/New_York', '2026-11-01', '2026-11-01T04:00:00Z', '2026-11-02T04:59:59Z'], // 25 hours
    ['Pacific/Auckland', '2026-04-05', '2026-04-04T11:00:00Z', '2026-04-05T11:59:59Z'], // 25 hours
    ['Pacific/Auckland', '2026-09-27', '2026-09-26T12:00:00Z', '2026-09-27T10:59:59Z'], // 23 hours
    ['Asia/Kolkata', '2026-03-29', '2026-03-28T18:30:00Z', '2026-03-29T18:29:59Z'],
  ] as const) {
    await setBusinessZone(sql, zone)

    const [row] = await sql`
      select
        nms.business_date(${first}) as first,
        nms.business_date(${last}) as last,
        nms.business_date(${first}::timestamptz - interval '1 second') < ${day} as before,
        nms.business_date(${last}::timestamptz + interval '1 second') > ${day} as after
    `

    t.deepEqual({ ...row }, { first: day, last: day, before: true, after: true }, `${zone} ${day}`)
  }
})

test('both passes of the repeated hour belong to the same day', async (t) => {
  const { sql } = await createDatabase(t)

  for (const [zone, day, instants] of [
    ['America/New_York', '2026-11-01', ['2026-11-01T05:30:00Z', '2026-11-01T06:30:00Z']],
    ['Pacific/Auckland', '2026-04-05', ['2026-04-04T13:30:00Z', '2026-04-04T14:30:00Z']],
  ] as const) {
    await setBusinessZone(sql, zone)

    const rows = await sql<{ day: string }[]>`
      select nms.business_date(at) as day from unnest(${[...instants]}::text[]::timestamptz[]) as at
    `

    t.deepEqual(
      rows.map((row) => row.day),
      [day, day],
      zone,
    )
  }
})

test('the TimeZone of the session changes no business date', async (t) => {
  const { sql, connect } = await createDatabase(t)

  for (const zone of zones) {
    await setBusinessZone(sql, zone)
    const instants = midnights(zone, Date.UTC(2026, 2, 6), Date.UTC(2026, 2, 11)).flatMap((start) => [
      start - 1,
      start,
    ])
    for (const TimeZone of sessionZones) {
      await expectDates(t, connect({ connection: { TimeZone } }), zone, instants)
    }
  }
})

test('without an argument it is the day of the current transaction', async (t) => {
  const { sql } = await createDatabase(t)

  for (const zone of [...zones, ...sessionZones]) {
    await setBusinessZone(sql, zone)
    const [row] = await sql<[{ day: string; now: Date }]>`select nms.business_date() as day, now() as now`
    t.is(row.day, dateIn(zone, row.now), zone)
  }
})

test('a run belongs to the business day of its start, whatever the TimeZone of its session', async (t) => {
  const { sql, connect } = await createDatabase(t)
  const sessions = sessionZones.map((TimeZone) => connect({ connection: { TimeZone } }))

  for (const zone of [...zones, 'Pacific/Kiritimati', 'Pacific/Pago_Pago']) {
    await setBusinessZone(sql, zone)
    for (const session of sessions) {
      const run = await collect(session)

      t.is(run.snapshot_date, dateIn(zone, run.collected_at), zone)
      const [daily] = await session`
        select snapshot_date from nms.table_metrics_daily_snapshot where run_id = ${run.run_id}
      `
      t.is(daily?.snapshot_date, run.snapshot_date)
    }
  }
})

test('a run that starts before midnight and ends after it belongs to the day on which it started', async (t) => {
  const { sql } = await createDatabase(t)
  // It is always a later date on Kiritimati than in Pago Pago, 25 hours behind.
  await setBusinessZone(sql, 'Pacific/Pago_Pago')
  const [{ run_id }] = await sql<[{ run_id: string }]>`select nms.open_run() as run_id`
  const [opened] = await sql<[Run]>`select * from nms.table_metrics_runs where run_id = ${run_id}`
  await setBusinessZone(sql, 'Pacific/Kiritimati')

  const [run] = await sql<[Run]>`select * from nms.collect_table_metrics(run_id => ${run_id})`

  t.is(run.status, 'SUCCEEDED')
  t.is(run.snapshot_date, dateIn('Pacific/Pago_Pago', opened.collected_at))
  t.deepEqual(run.collected_at, opened.collected_at)
  const next = await collect(sql)
  t.is(next.snapshot_date, dateIn('Pacific/Kiritimati', next.collected_at))
  const days = await sql<{ day: string; run_id: string }[]>`
    select snapshot_date as day, run_id from nms.table_metrics_daily_snapshot order by 1
  `
  t.deepEqual(
    days.map((row) => ({ ...row })),
    [
      { day: run.snapshot_date, run_id: run.run_id },
      { day: next.snapshot_date, run_id: next.run_id },
    ],
  )
})

test('changing the business time zone moves no past run to another day', async (t) => {
  const { sql } = await createDatabase(t)
  await setBusinessZone(sql, 'Pacific/Pago_Pago')
  const run = await collect(sql)

  await setBusinessZone(sql, 'Pacific/Kiritimati')

  const [kept] = await sql`
    select run.snapshot_date as run, daily.snapshot_date as daily
    from nms.table_metrics_runs as run join nms.table_metrics_daily_snapshot as daily using (run_id)
  `
  t.deepEqual({ ...kept }, { run: run.snapshot_date, daily: run.snapshot_date })
})
