import type { TaskList } from 'graphile-worker'
import { pruneTaskName, sendTaskName, taskName } from '../schedule/crontab.ts'
import { collectTask } from '../tasks/collect_table_metrics.ts'
import { pruneTask } from '../tasks/prune_table_metrics.ts'
import { sendTask } from '../tasks/send_table_metrics_alerts.ts'
import type { TaskOptions } from './job.ts'

/** The tasks `collect_table_metrics`, `prune_table_metrics` and `send_table_metrics_alerts`, for any graphile-worker. */
export function createTasks(options: TaskOptions = {}): TaskList {
  return {
    [taskName]: collectTask(options),
    [pruneTaskName]: pruneTask(options),
    [sendTaskName]: sendTask(options),
  }
}

/** The tasks on the database of DATABASE_URL. */
export const tasks: TaskList = createTasks()
