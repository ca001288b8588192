export {
  type CollectOptions,
  type CollectRequest,
  collectRun,
  collectTableMetrics,
} from './collect/collect.ts'
export type { RunEvent } from './collect/events.ts'
export type { Progress } from './collect/progress.ts'
export type { Run } from './collect/run.ts'
export { installScript } from './install_script.ts'
export { createLog, type Log, type LogEvent, type WorkerEvent } from './log.ts'
export { type MigrateResult, migrate } from './migrate.ts'
export { preset } from './preset.ts'
export { cronItems } from './schedule.ts'
export { createTasks, tasks } from './tasks.ts'
export type { TaskOptions } from './worker/job.ts'
