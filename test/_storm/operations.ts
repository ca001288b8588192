import * as tables from './names.ts'

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

const call = (name: string, ...args: (string | number | boolean)[]) =>
  `select storm.${name}(${args.map((arg) => (typeof arg === 'string' ? `'${arg}'` : arg)).join(', ')})`
const bare = (comer: string) => comer.replace(/ .*/, '')
const family = (choose: Choose) => choose([tables.orders, tables.orders, tables.heirs])

const makers: Record<string, Maker> = {
  'rows moved': {
    weight: 40,
    sql: (choose) => {
      const group = choose(tables.neighbours)
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
      `alter table ${choose([...tables.solos, ...tables.pools, 'parts.orders', 'parts.flow', 'heirs.a', 'heirs.host'])} alter id type bigint using id + 0`,
  },
  'vacuum full': {
    weight: 5,
    sql: (choose) => `vacuum full ${choose(tables.all)}`,
    isAlone: true,
  },
  cluster: { weight: 3, sql: (choose) => call('cluster', choose(tables.all)) },
  'logging changed': {
    weight: 4,
    sql: (choose) => call('change_logging', choose([...tables.childless, ...tables.nomads])),
  },
  'truncated and refilled': {
    weight: 8,
    sql: (choose) => call('refill', choose([...tables.all, ...tables.partitioned])),
  },
  'dropped and recreated': { weight: 6, sql: (choose) => call('recreate', choose(tables.childless)) },
  'dropped and recreated, rows elsewhere': {
    weight: 6,
    sql: (choose) => {
      const group = choose(tables.neighbours)
      return call('recreate', choose(group), choose(group))
    },
  },
  'parent dropped and recreated': {
    weight: 6,
    sql: (choose) => call('recreate_parent', choose([...tables.forebears, ...tables.partitioned])),
  },
  'created or dropped': {
    weight: 8,
    sql: (choose) => {
      const [name, neighbour] = choose(tables.ghosts)
      return call('haunt', name, neighbour)
    },
  },
  'names swapped': {
    weight: 6,
    sql: (choose) => {
      const group = choose([['bank.twin_1', 'bank.twin_2'], tables.orders, tables.flows, tables.heirs])
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
  attached: {
    weight: 8,
    sql: (choose) => `alter table parts.flow attach partition ${choose(tables.comers)}`,
  },
  detached: {
    weight: 4,
    sql: (choose) => `alter table parts.flow detach partition ${bare(choose(tables.comers))}`,
  },
  'detached concurrently': {
    weight: 4,
    sql: (choose) => `alter table parts.flow detach partition ${bare(choose(tables.comers))} concurrently`,
    isAlone: true,
  },
  'detaching finished': {
    weight: 2,
    isRare: true, // a concurrent detach must have been given up half way
    sql: (choose) => `alter table parts.flow detach partition ${bare(choose(tables.comers))} finalize`,
  },
  inherit: { weight: 3, sql: () => 'alter table heirs.guest inherit heirs.host' },
  'no inherit': { weight: 3, sql: () => 'alter table heirs.guest no inherit heirs.host' },
}

/** Those that happen in any storm. */
export const kindsOfOperations = Object.keys(makers).filter((kind) => !makers[kind]?.isRare)

const wheel = Object.entries(makers).flatMap(([kind, { weight }]) => Array<string>(weight).fill(kind))

/** @param isLasting without what a crash of the server would undo although it was committed */
export function nextOperation(random: Random, isLasting = false): Operation {
  const choose = Object.assign(<T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T, {
    random,
  })
  let kind = choose(wheel)
  while (isLasting && kind === 'logging changed') kind = choose(wheel)
  const { sql, isAlone = false } = makers[kind] as Maker
  return { kind, sql: sql(choose), isAlone }
}
