import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type ParsedCronItem, parseCrontab } from 'graphile-worker'

/** The name of the task that collects, and of the file that implements it. */
export const taskName = 'collect_table_metrics'

/** The name of the task that prunes, and of the file that implements it. */
export const pruneTaskName = 'prune_table_metrics'

/** The name of the task that sends alerts, and of the file that implements it. */
export const sendTaskName = 'send_table_metrics_alerts'

/** What the server knows a job that prunes by. */
export const pruningSession = 'table-metrics prune'

/** Every task that there is. */
export const taskNames: readonly string[] = [taskName, pruneTaskName, sendTaskName]

/** A schedule that tells of each week on Mondays, after the daily run. */
export function weeklyDigest(): ParsedCronItem[] {
  return parseCrontab(`0 7 * * 1 ${sendTaskName} ?id=weekly_digest&fill=7d {digest: "weekly"}`)
}

/** The crontab of this package. */
export const defaultCrontab = fileURLToPath(new URL('../../crontab', import.meta.url))

/**
 * The schedule of this package, for a worker that hosts its tasks. When its file is malformed,
 * reading the first item throws: importing this package does not.
 */
export const cronItems: ParsedCronItem[] = scheduleOrError(defaultCrontab)

/**
 * Reads a schedule.
 *
 * @throws when the file cannot be read, is malformed, or names a task that there is not
 */
export function readSchedule(file: string): ParsedCronItem[] {
  const items = parse(file)
  const stranger = items.find(({ task }) => !taskNames.includes(task))
  if (stranger) {
    throw new Error(`crontab ${file}: saw the task ${stranger.task}, expected ${taskNames.join(' or ')}`)
  }
  return items
}

/** A schedule; or one whose first item throws what is wrong with the file. */
export function scheduleOrError(file: string): ParsedCronItem[] {
  try {
    return readSchedule(file)
  } catch (error) {
    const get = () => {
      throw error
    }
    return Object.defineProperty([], 0, { get, enumerable: true })
  }
}

function parse(file: string): ParsedCronItem[] {
  try {
    return parseCrontab(readFileSync(file, 'utf8'))
  } catch (error) {
    const { message } = error as Error
    throw new Error(
      `crontab ${file}: ${message}; expected lines such as 15 5 * * * ${taskName} ?id=daily&fill=1d`,
      { cause: error },
    )
  }
}
