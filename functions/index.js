import { eventFunction } from 'nms-table-metrics'

/** What Pub/Sub, Eventarc or Cloud Scheduler call: --entry-point events. */
export const events = await eventFunction()
