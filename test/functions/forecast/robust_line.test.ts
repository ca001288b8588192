// The line through counts, and its range, on series whose slope is known because they are made from it.

import test from 'ava'
import { createDatabase, type Sql } from '../../_support/database.ts'

interface Line {
  slope: number
  slope_low: number
  slope_high: number
  level: number
  wander: number
  span: number
}

interface Range {
  outcome: string
  earliest: number | null
  middle: number | null
  latest: number | null
}

const seeded = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

const normal = (random: () => number) =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/** Many lines in one query. */
const linesOf = (sql: Sql, series: number[][]) =>
  sql<Line[]>`
    select line.*
    from jsonb_array_elements(${sql.json(series)}) with ordinality as given (counts, place)
    cross join lateral (
      select array_agg(ordinality::double precision) as places, array_agg(amount::double precision) as amounts
      from jsonb_array_elements_text(counts) with ordinality as day (amount)
    ) as point
    left join lateral nms_private.robust_line(point.places, point.amounts) as line on true
    order by given.place
  `

const weekly = [30, 40, 35, 20, 10, -70, -65]
const slope = 25

const kinds: Record<string, (random: () => number, days: number) => number[]> = {
  'scatter about a line': (random, days) =>
    Array.from({ length: days }, (_, day) => 10_000 + slope * day + 40 * normal(random)),
  'add up from day to day': (random, days) => {
    let total = 10_000
    return Array.from({ length: days }, () => {
      total += slope + 40 * normal(random)
      return total
    })
  },
  'follow the week': (random, days) => {
    let total = 10_000
    return Array.from({ length: days }, (_, day) => {
      total += slope + (weekly[day % 7] ?? 0) + 15 * normal(random)
      return total
    })
  },
  'scatter, with a week of its own': (random, days) =>
    Array.from(
      { length: days },
      (_, day) => 10_000 + slope * day + 3 * (weekly[day % 7] ?? 0) + 20 * normal(random),
    ),
}

for (const [kind, make] of Object.entries(kinds)) {
  for (const days of [14, 30, 90]) {
    test(`counts that ${kind}: of 300 ranges by ${days} days, with a day of 0 in each, nine in ten have the true slope`, async (t) => {
      const { sql } = await createDatabase(t)
      const random = seeded(days)
      const series = Array.from({ length: 300 }, () => {
        const counts = make(random, days)
        counts[Math.floor(random() * days)] = 0
        return counts
      })

      const lines = await linesOf(sql, series)

      const right = lines.filter((line) => line.slope_low <= slope && slope <= line.slope_high)
      t.true(right.length >= 270, `${right.length} of 300`)
      if (days === 90) {
        const widths = lines.map((line) => line.slope_high - line.slope_low)
        const typical = widths.sort((one, other) => one - other)[150] ?? Number.NaN
        t.true(typical < slope, `and it says something: typically ${typical} wide`)
      }
    })
  }
}

test('a number of rows is reached within the range in nine of ten series that go on as they were', async (t) => {
  const { sql } = await createDatabase(t)
  const random = seeded(7)
  const series = Array.from({ length: 300 }, () => kinds['follow the week']?.(random, 600) ?? [])
  const goals = series.map((counts) => (counts[89] ?? 0) + 3_000)
  const lines = await linesOf(
    sql,
    series.map((counts) => counts.slice(0, 90)),
  )

  const ranges = await sql<Range[]>`
    select range.*
    from jsonb_to_recordset(${sql.json(lines.map((line, n) => ({ ...line, goal: goals[n] })) as never)}) as given (
      slope double precision, wander double precision, span double precision, level double precision,
      goal double precision
    )
    cross join lateral nms_private.time_until(given.goal - given.level, given.slope, given.wander, given.span) as range
  `

  const right = ranges.filter(({ outcome, earliest, latest }, n) => {
    const reached = (series[n] ?? []).findIndex((count) => count >= (goals[n] ?? 0)) - 89
    return outcome === 'between' && Math.floor(earliest ?? 0) <= reached && reached <= Math.ceil(latest ?? 0)
  })
  t.is(ranges.length, 300)
  t.true(right.length >= 270, `${right.length} of 300`)
})

test('what lies on a line has no range; one wild day changes nothing', async (t) => {
  const { sql } = await createDatabase(t)
  const straight = Array.from({ length: 40 }, (_, day) => 5 + 3 * day)

  const [plain, wild] = await linesOf(sql, [straight, straight.with(20, 0)])

  t.like(plain, { slope: 3, slope_low: 3, slope_high: 3, level: 122, wander: 0 })
  t.like(wild, { slope: 3, level: 122 })
})

test('points in two weeks that lie far apart are no line', async (t) => {
  const { sql } = await createDatabase(t)

  const rows = await sql`
    select from nms_private.robust_line('{1,80,81,82,83,84,85,86,87,88,89,90}', '{1,2,3,4,5,6,7,8,9,10,11,12}')
  `

  t.is(rows.length, 0)
})

for (const [what, distance, slope, wander, span, expected] of [
  // 100 of 10 a day, known exactly.
  ['a line without a doubt is there on one day', 100, 10, 0, 90, ['between', 10, 10, 10]],
  ['what is there already has passed', 0, 10, 1, 90, ['passed', null, null, null]],
  ['what shrinks is never there', 100, -10, 0, 90, ['never', null, null, null]],
  ['nor what stands still', 100, 0, 0, 90, ['never', null, null, null]],
  // Slope 1 ± 10/√100 = 0 to 2: (100 - d)² = 100 (d + d²/100), so 10000 - 200 d = 100 d.
  ['what perhaps stands still is there not before', 100, 1, 10, 100, ['not before', 33.33, null, null]],
  // (100 - 2d)² = d + d²/100: 3.99 d² - 401 d + 10000 = 0.
  ['both ends solve the square', 100, 2, 1, 100, ['between', 45.91, 50, 54.59]],
] as const) {
  test(`time until: ${what}`, async (t) => {
    const { sql } = await createDatabase(t)

    const [range] = await sql<[Range]>`
      select outcome, round(earliest::numeric, 2)::float as earliest, middle, round(latest::numeric, 2)::float as latest
      from nms_private.time_until(${distance}, ${slope}, ${wander}, ${span})
    `

    t.deepEqual([range.outcome, range.earliest, range.middle, range.latest], [...expected])
  })
}
