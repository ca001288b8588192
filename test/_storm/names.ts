// Which tables an operation may be tried on.

export const solos = [
  'bank.solo_1',
  'bank.solo_2',
  'bank.solo_3',
  'bank.solo_4',
  'bank.twin_1',
  'bank.twin_2',
]
export const pools = ['bank.vault', 'bank.pool_1', 'bank.pool_2', 'away.pool_3']
const parts = ['parts.orders_1', 'parts.orders_2', 'away.orders_3', 'parts.orders_10', 'parts.orders_11']
export const orders = [...parts, 'parts.spare_1', 'parts.spare_2']
export const flows = ['parts.flow_1', 'parts.flow_2']
const bands = ['parts.band_20', 'parts.band_21']
export const heirs = ['away.a2', 'heirs.b2', 'heirs.e', 'heirs.d', 'heirs.d2', 'heirs.spare']
const others = [
  'heirs.y1',
  'heirs.z1',
  'heirs.yz1',
  'heirs.yz2',
  'heirs.host_1',
  'heirs.guest_1',
  'parts.comer',
]
export const forebears = ['heirs.a', 'heirs.b', 'heirs.c', 'heirs.y', 'heirs.z', 'heirs.host', 'heirs.guest']
export const partitioned = ['parts.orders', 'parts.orders_sub', 'parts.flow', 'parts.band']
export const nomads = ['bank.nomad', 'away.nomad']
export const childless = [...solos, ...pools, ...orders, ...flows, ...bands, ...heirs, ...others]
export const all = [...childless, ...forebears, ...nomads]
/** Each beside a table that has its rows while it does not exist. */
export const ghosts = [
  ['bank.ghost', 'bank.vault'],
  ['heirs.ghost', 'heirs.e'],
  ['away.ghost', 'heirs.yz1'],
] as const
/** They come and go with all their rows. */
export const comers = ['parts.comer for values in (9)', 'parts.band for values in (20, 21)']
/** Rows may move within each of these, as long as a table has not left its family. */
export const neighbours = [
  pools,
  orders,
  orders,
  flows,
  bands,
  ['heirs.a', 'away.a2'],
  ['heirs.b', 'heirs.b2'],
  ['heirs.c', 'heirs.e'],
  ['heirs.d', 'heirs.d2', 'heirs.spare'],
  ['heirs.spare', 'bank.vault'],
  ['heirs.y', 'heirs.y1'],
  ['heirs.z', 'heirs.z1'],
  ['heirs.yz1', 'heirs.yz2'],
  ['heirs.host', 'heirs.host_1'],
  ['heirs.guest', 'heirs.guest_1'],
]
