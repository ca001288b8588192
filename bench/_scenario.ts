import type { Sql } from './_connect.ts'
import type { Contestant } from './_measure.ts'
import type { Metric } from './_metrics.ts'

/** Data, and who counts it against whom. */
export interface Scenario {
  name: string
  title: string
  /**
   * Creates the data in an empty database with an installed collector; resolves to who competes.
   *
   * @param scale how much of it, 1 for what the title says
   */
  build(sql: Sql, scale: number): Promise<Contestant[]>
  bars: Bar[]
  /** Stops what it has started beside the database. */
  end?(): Promise<void>
}

/** What a contestant is measured at, as a part of what its rival is, or alone in the unit of the metric: one of the two limits. */
export interface Bar {
  contestant: string
  rival?: string
  metric: Metric
  atMost?: number
  atLeast?: number
  /** By how much it may miss the limit, as part of it, where equals come out unequal in each round. */
  noise?: number
}
