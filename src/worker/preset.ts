import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WorkerPreset } from 'graphile-worker'
import { defaultCrontab } from '../schedule/crontab.ts'

/** For graphile-worker's configuration: the tasks and the schedule of this package. */
export const preset: GraphileConfig.Preset = {
  extends: [WorkerPreset],
  worker: {
    taskDirectory: fileURLToPath(new URL('../tasks', import.meta.url)),
    // Beside compiled JavaScript there are declarations, which end in .ts.
    fileExtensions: [extname(import.meta.url)],
    crontabFile: defaultCrontab,
    // Makes a worker that stops wait until it is written how its jobs have ended.
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
}
