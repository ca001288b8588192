import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type ParsedCronItem, parseCrontab } from 'graphile-worker'

/** The name of the task, and of the file that implements it. */
export const taskName = 'collect_table_metrics'

/** The crontab of this package. */
export const defaultCrontab = fileURLToPath(new URL('../crontab', import.meta.url))

/** The schedule of this package, for a worker that hosts its task. */
export const cronItems: ParsedCronItem[] = readSchedule(defaultCrontab)

/**
 * Reads a schedule.
 *
 * @throws when the file cannot be read, is malformed, or names a task that there is not
 */
export function readSchedule(file: string): ParsedCronItem[] {
  const items = parse(file)
  const stranger = items.find(({ task }) => task !== taskName)
  if (stranger) {
    throw new Error(`crontab ${file}: saw the task ${stranger.task}, expected ${taskName}`)
  }
  return items
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
