import type { Progress } from '../online/progress.ts'
import type { RunEvent } from './events.ts'

/** What a run leaves out; by default nothing. */
export interface CollectRequest {
  /** Schemas, such as `tmp`. */
  skip?: string[]
  /** Tables, as `schema.table`, spelled as the catalogue does or quoted as in SQL. */
  exclude?: string[]
}

/** How a run is counted. */
export interface CollectOptions {
  /** Each table in a short transaction of its own, rather than all as of one instant. */
  online?: boolean
  /** How many sessions count an online run. */
  jobs?: number
  /** How long the run may take, as a Postgres interval such as `30m`; by default any time. */
  deadline?: string
  /** Ends the run as FAILED, "stopped". */
  signal?: AbortSignal
  /** Told what happens to the run. */
  report?: (event: RunEvent) => void
  /** Told how far an online run is. */
  progress?: (progress: Progress) => void
}
