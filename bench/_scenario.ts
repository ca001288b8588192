import type { Sql } from '../src/database.ts'
import type { Contestant, Temperature } from './_measure.ts'

/** Data, and who counts it against whom. */
export interface Scenario {
  name: string
  title: string
  /** Creates the data in an empty database with an installed collector; resolves to who competes, collector first. */
  build(sql: Sql): Promise<Contestant[]>
  /** The time of the collector may be at most this part of the rival's. */
  bars: { rival: string; temperature: Temperature; atMost: number }[]
  /** Whether the memory of the sessions is worth reading. */
  showMemory?: boolean
}
