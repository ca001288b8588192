import stringWidth from 'string-width'
import type { Progress } from '../online/progress.ts'
import { formatCount, plural } from './terminal.ts'
import { visible } from './visible.ts'

/** Milliseconds between two lines of a progress that nobody can overwrite. */
const lineInterval = 5_000

/** Shows how far a run is: one line that is drawn again on a terminal, else a line every few seconds. */
export function showProgress(stream: NodeJS.WriteStream) {
  let lastLine = Date.now()
  let drawn = false
  return {
    update(progress: Progress): void {
      if (progress.allTables === 0) return
      if (stream.isTTY) {
        stream.write(`\r\u001b[K${progressLine(progress, stream.columns || 80)}`)
        drawn = true
      } else if (Date.now() - lastLine >= lineInterval) {
        lastLine = Date.now()
        stream.write(`${progressLine(progress)}\n`)
      }
    },
    /** Takes the bar away. */
    end(): void {
      if (drawn) stream.write('\r\u001b[K')
    },
  }
}

/** `[██████░░░░]  62 %  1,234 of 2,022 tables  98,765 rows  about 40 s left  counting public.orders` */
export function progressLine(
  { tables, allTables, rows, part, secondsLeft, counting }: Progress,
  width = Number.POSITIVE_INFINITY,
): string {
  const filled = Math.floor(part * 10)
  const parts = [
    `[${'█'.repeat(filled)}${'░'.repeat(10 - filled)}] ${String(Math.floor(part * 100)).padStart(3)} %`,
    `${formatCount(String(tables))} of ${plural(String(allTables), 'table')}`,
    plural(rows, 'row'),
    ...(secondsLeft === undefined ? [] : [`about ${formatSeconds(secondsLeft)} left`]),
    ...(counting.length > 0 ? [`counting ${visible(counting.join(', '))}`] : []),
  ]
  let line = ''
  for (const next of parts) {
    const longer = line ? `${line}  ${next}` : next
    if (stringWidth(longer) >= width) break
    line = longer
  }
  return line
}

function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  const minutes = Math.ceil(seconds / 60)
  return seconds < 3600 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
