/** Something that went wrong with a table, and what an alert ought to say. */
export interface Incident {
  kind: 'dropped_to_zero' | 'drop' | 'spike'
  /** First and last day of it. */
  from: number
  to: number
}

export interface TableHistory {
  name: string
  shape: string
  /** Rows on each day. */
  counts: number[]
  incident?: Incident
}

export interface History {
  /** The date of each day, as `2026-01-31`. */
  dates: string[]
  /** What became of each day's run. */
  runs: ('SUCCEEDED' | 'FAILED' | 'missing')[]
  tables: TableHistory[]
}

/** Numbers that look random and are the same for the same seed. */
export interface Random {
  between(low: number, high: number): number
  whole(low: number, high: number): number
  chance(probability: number): boolean
  pick<T>(values: readonly T[]): T
  /** Of a normal distribution around 0. */
  normal(deviation: number): number
}

/** A share of the table's size for each day, without noise. */
type Shape = (random: Random, dates: Date[]) => { shares: number[]; low?: number; high?: number }

/** As many tables of every shape, with noise of 0 to 5 %, old outliers, and incidents in the second half. */
export function generateHistory(seed: number, { tables = 500, days = 120 } = {}): History {
  const random = randomOf(seed)
  const start = Date.UTC(2026, random.whole(0, 11), random.whole(1, 28))
  const dates = Array.from({ length: days }, (_, day) => new Date(start + day * 86_400_000))
  const names = Object.keys(shapes)
  return {
    dates: dates.map((date) => date.toISOString().slice(0, 10)),
    runs: generateRuns(random, days),
    tables: Array.from({ length: tables }, (_, n) =>
      generateTable(random, n, names[n % names.length] as string, dates),
    ),
  }
}

function generateTable(random: Random, n: number, shape: string, dates: Date[]): TableHistory {
  const { shares, low, high } = (shapes[shape] as Shape)(random, dates)
  const size = shape === 'tiny' ? random.between(1, 30) : 10 ** random.between(2.5, 7)
  const noise = random.between(0, 0.05)
  const counts = shares.map((share) => size * share * Math.exp(random.normal(noise)))
  if (random.chance(0.3)) {
    for (let outliers = random.whole(1, 2); outliers > 0; outliers--) {
      const day = random.whole(3, Math.floor(dates.length / 2) - 1)
      counts[day] = (counts[day] as number) * random.pick([0, 0.3, 0.6, 1.6, 3, 10])
    }
  }
  const incident = shape !== 'tiny' && random.chance(0.5) ? generateIncident(random, dates.length) : undefined
  if (incident) {
    const { kind, from, to } = incident
    const factor = { dropped_to_zero: 0, drop: random.between(0.1, 0.8), spike: random.between(1.5, 5) }[kind]
    for (let day = from; day <= to; day++) {
      // Beyond what is usual: on that day, or at any time where it has nothing to do with the calendar.
      const usual = kind === 'drop' ? low : high
      counts[day] =
        factor *
        (usual === undefined ? (counts[day] as number) : size * usual * Math.exp(random.normal(noise)))
    }
  }
  const rounded = counts.map(Math.round)
  if (shape === 'tiny')
    for (const day of rounded.keys()) rounded[day] = random.whole(0, Math.ceil(2 * (counts[day] as number)))
  return { name: `${shape}_${n}`, shape, counts: rounded, ...(incident && { incident }) }
}

function generateIncident(random: Random, days: number): Incident {
  const from = random.whole(Math.floor(days / 2), days - 3)
  const length = random.pick([1, 1, random.whole(2, 5), days])
  return {
    kind: random.pick(['dropped_to_zero', 'drop', 'drop', 'spike', 'spike']),
    from,
    to: Math.min(from + length, days) - 1,
  }
}

function generateRuns(random: Random, days: number): History['runs'] {
  const runs: History['runs'] = Array.from({ length: days }, () =>
    random.chance(0.03) ? 'FAILED' : random.chance(0.03) ? 'missing' : 'SUCCEEDED',
  )
  const outage = random.whole(20, days - 10)
  return runs.fill('missing', outage, outage + random.whole(2, 4))
}

const weekday = (date: Date) => date.getUTCDay()
const dayOfMonth = (date: Date) => date.getUTCDate()
const daysToMonthEnd = (date: Date) =>
  new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate() - dayOfMonth(date)

const shapes: Record<string, Shape> = {
  flat: (_, dates) => ({ shares: dates.map(() => 1) }),
  growing: (random, dates) => {
    const daily = random.between(0.0005, 0.015)
    return {
      shares: dates.map(
        random.chance(0.5) ? (_, day) => (1 + daily) ** day : (_, day) => 1 + 2 * daily * day,
      ),
    }
  },
  appended: (random, dates) => {
    const [daily, weekend, spread] = [random.between(0.001, 0.02), random.between(0, 1), random.between(0, 1)]
    let share = 1
    return {
      shares: dates.map((date) => {
        const today = weekday(date) % 6 === 0 ? daily * weekend : daily
        share += today * Math.max(0, 1 + random.normal(spread))
        return share
      }),
    }
  },
  weekend: (random, dates) => {
    const share = random.pick([random.between(0.2, 0.9), random.between(1.1, 3)])
    return { shares: dates.map((date) => (weekday(date) % 6 === 0 ? share : 1)) }
  },
  weekdays: (random, dates) => {
    const share = Array.from({ length: 7 }, () => random.between(0.6, 1.4))
    return { shares: dates.map((date) => share[weekday(date)] as number) }
  },
  weekly_load: (random, dates) => {
    const [day, share] = [random.whole(0, 6), random.between(1.3, 4)]
    return { shares: dates.map((date) => (weekday(date) === day ? share : 1)) }
  },
  month_end: (random, dates) => {
    const [length, share] = [random.whole(1, 4), random.between(1.2, 4)]
    return { shares: dates.map((date) => (daysToMonthEnd(date) < length ? share : 1)) }
  },
  month_start: (random, dates) => {
    const [length, share] = [random.whole(1, 3), random.between(0.3, 0.9)]
    return { shares: dates.map((date) => (dayOfMonth(date) <= length ? share : 1)) }
  },
  month_filled: (random, dates) => {
    const growth = random.between(0.3, 3)
    return { shares: dates.map((date) => 1 + (growth * dayOfMonth(date)) / 31), low: 1, high: 1 + growth }
  },
  teeth: (random, dates) => {
    const [period, depth, phase] = [random.whole(5, 35), random.between(0.3, 0.8), random.whole(0, 34)]
    const share = (day: number) => 1 - depth + (depth * ((day + phase) % period)) / (period - 1)
    return { shares: dates.map((_, day) => share(day)), low: 1 - depth, high: 1 }
  },
  uneven_teeth: (random, dates) => {
    const [low, growth] = [random.between(0.2, 0.6), random.between(0.02, 0.08)]
    let share = random.between(low, 1)
    const shares = dates.map(() => {
      share += growth * random.between(0.5, 1.5)
      if (share > 1 && random.chance(0.7)) share = low * random.between(0.9, 1.1)
      return share
    })
    return { shares, low: Math.min(...shares), high: Math.max(...shares) }
  },
  tiny: (_, dates) => ({ shares: dates.map(() => 1) }),
}

function randomOf(seed: number): Random {
  let state = seed >>> 0
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (low: number, high: number) => low + next() * (high - low)
  const whole = (low: number, high: number) => Math.floor(between(low, high + 1))
  return {
    between,
    whole,
    chance: (probability) => next() < probability,
    pick: (values) => values[whole(0, values.length - 1)] as (typeof values)[number],
    normal: (deviation) => deviation * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  }
}
