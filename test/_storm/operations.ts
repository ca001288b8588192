export type Random = () => number

/** One statement, which is one transaction unless it is wrapped in another. */
export interface Operation {
  kind: string
  sql: string
  /** Cannot be part of a transaction. */
  isAlone: boolean
}

interface Maker {
  /** How often it is chosen, compared with the others. */
  weight: number
  sql: (choose: Choose) => string
  isAlone?: true
  /** Possible only now and then. */
  isRare?: true
}

interface Choose {
  <T>(from: readonly T[]): T
  random: Random
}

const solos = ['bank.solo_1', 'bank.solo_2', 'bank.solo_3', 'bank.solo_4', 'bank.twin_1', 'bank.twin_2']
const pools = ['bank.vault', 'bank.pool_1', 'bank.pool_2', 'away.pool_3']
const parts = ['parts.orders_1', 'parts.orders_2', 'away.orders_3', 'parts.orders_10', 'parts.orders_11']
const orders = [...parts, 'parts.spare_1', 'parts.spare_2']
const flows = ['parts.flow_1', 'parts.flow_2']
const bands = ['parts.band_20', 'parts.band_21']
const heirs = ['away.a2', 'heirs.b2', 'heirs.e', 'heirs.d', 'heirs.d2', 'heirs.spare']
const others = [
  'heirs.y1',
  'heirs.z1',
  'heirs.yz1',
  'heirs.yz2',
  'heirs.host_1',
  'heirs.guest',
  'parts.comer',
]
const forebears = ['heirs.a', 'heirs.b', 'heirs.c', 'heirs.y', 'heirs.z', 'heirs.host', 'heirs.guest']
const partitioned = ['parts.orders', 'parts.orders_sub', 'parts.flow', 'parts.band']
const nomads = ['bank.nomad', 'away.nomad']
const childless = [...solos, ...pools, ...orders, ...flows, ...bands, ...heirs, ...others]
const any = [...childless, ...forebears, ...nomads]
/** Each beside a table that has its rows while it does not exist. */
const ghosts = [
  ['bank.ghost', 'bank.vault'],
  ['heirs.ghost', 'heirs.e'],
  ['away.ghost', 'heirs.yz1'],
] as const
/** They come and go with all their rows. */
const comers = ['parts.comer for values in (9)', 'parts.band for values in (20, 21)']
/** Rows may move within each of these, as long as a table has not left its family. */
const neighbours = [
  ...[pools, orders, orders, flows, bands, ['heirs.y', 'heirs.y1'], ['heirs.z', 'heirs.z1']],
  ...[
    ['heirs.yz1', 'heirs.yz2'],
    ['heirs.a', 'away.a2'],
    ['heirs.b', 'heirs.b2'],
    ['heirs.c', 'heirs.e'],
  ],
  ...[
    ['heirs.d', 'heirs.d2', 'heirs.spare'],
    ['heirs.host', 'heirs.host_1'],
    ['heirs.spare', 'bank.vault'],
  ],
]

const call = (name: string, ...args: (string | number | boolean)[]) =>
  `select storm.${name}(${args.map((arg) => (typeof arg === 'string' ? `'${arg}'` : arg)).join(', ')})`
const bare = (comer: string) => comer.replace(/ .*/, '')
const family = (choose: Choose) => choose([orders, orders, heirs])

const makers: Record<string, Maker> = {
  'rows moved': {
    weight: 40,
    sql: (choose) => {
      const group = choose(neighbours)
      return call('move', choose(group), choose(group), 1 + Math.floor(choose.random() * 60))
    },
  },
  'rows moved through the parent': {
    weight: 8,
    sql: (choose) => {
      const [from, to] = [choose([1, 2, 3, 10, 11]), choose([1, 2, 3, 10, 11])]
      return `update parts.orders set part = ${to} where part = ${from} and id % 5 = ${choose([0, 1, 2, 3, 4])}`
    },
  },
  'type altered': {
    weight: 4,
    sql: (choose) =>
      `alter table ${choose([...solos, ...pools, 'parts.orders', 'parts.flow', 'heirs.a', 'heirs.host'])} alter id type bigint using id + 0`,
  },
  'vacuum full': {
    weight: 5,
    sql: (choose) => `vacuum full ${choose(any)}`,
    isAlone: true,
  },
  cluster: { weight: 3, sql: (choose) => call('cluster', choose(any)) },
  'logging changed': {
    weight: 4,
    sql: (choose) => call('change_logging', choose([...childless, ...nomads])),
  },
  'truncated and refilled': {
    weight: 8,
    sql: (choose) => call('refill', choose([...any, ...partitioned])),
  },
  'dropped and recreated': { weight: 6, sql: (choose) => call('recreate', choose(childless)) },
  'dropped and recreated, rows elsewhere': {
    weight: 6,
    sql: (choose) => {
      const group = choose(neighbours)
      return call('recreate', choose(group), choose(group))
    },
  },
  'parent dropped and recreated': {
    weight: 6,
    sql: (choose) => call('recreate_parent', choose([...forebears, ...partitioned])),
  },
  'created or dropped': {
    weight: 8,
    sql: (choose) => {
      const [name, neighbour] = choose(ghosts)
      return call('haunt', name, neighbour)
    },
  },
  'names swapped': {
    weight: 6,
    sql: (choose) => {
      const group = choose([['bank.twin_1', 'bank.twin_2'], orders, flows, heirs])
      return call('swap_names', choose(group), choose(group))
    },
  },
  'names of schemas swapped': { weight: 3, sql: () => call('swap_schemas') },
  'moved to another schema': { weight: 4, sql: () => call('wander') },
  'part came or went': {
    weight: 20,
    sql: (choose) => {
      const group = family(choose)
      return call('come_or_go', choose(group), choose(group), 'bank.vault', choose([true, false]))
    },
  },
  'part exchanged': {
    weight: 12,
    sql: (choose) => {
      const group = family(choose)
      return call('exchange', choose(group), choose(group), 'bank.vault')
    },
  },
  attached: { weight: 8, sql: (choose) => `alter table parts.flow attach partition ${choose(comers)}` },
  detached: {
    weight: 4,
    sql: (choose) => `alter table parts.flow detach partition ${bare(choose(comers))}`,
  },
  'detached concurrently': {
    weight: 4,
    sql: (choose) => `alter table parts.flow detach partition ${bare(choose(comers))} concurrently`,
    isAlone: true,
  },
  'detaching finished': {
    weight: 2,
    isRare: true, // a concurrent detach must have been given up half way
    sql: (choose) => `alter table parts.flow detach partition ${bare(choose(comers))} finalize`,
  },
  inherit: { weight: 3, sql: () => 'alter table heirs.guest inherit heirs.host' },
  'no inherit': { weight: 3, sql: () => 'alter table heirs.guest no inherit heirs.host' },
}

/** Those that happen in any storm. */
export const kindsOfOperations = Object.keys(makers).filter((kind) => !makers[kind]?.isRare)

const wheel = Object.entries(makers).flatMap(([kind, { weight }]) => Array<string>(weight).fill(kind))

export function nextOperation(random: Random): Operation {
  const choose = Object.assign(<T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T, {
    random,
  })
  const kind = choose(wheel)
  const { sql, isAlone = false } = makers[kind] as Maker
  return { kind, sql: sql(choose), isAlone }
}
