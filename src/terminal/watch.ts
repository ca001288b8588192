import { setTimeout as sleep } from 'node:timers/promises'
import { isConnectionError } from '../connection/timeout.ts'
import { describeError } from '../errors.ts'
import { print } from './output.ts'

export interface Watching {
  /** How long to wait after each look. */
  seconds: number
  /** Ends it. */
  signal: AbortSignal
  /** What to show. */
  look(signal: AbortSignal): Promise<string>
}

const [enter, leave] = ['\u001b[?1049h\u001b[?25l', '\u001b[?25h\u001b[?1049l']
const home = '\u001b[H\u001b[J'

/**
 * Shows something again and again, until the signal aborts: on a terminal in the place of what it was, on a screen of
 * its own, which is gone afterwards; otherwise after it. While the server is away it says so, and what was seen last.
 *
 * @throws what the first look throws
 */
export async function watch({ seconds, signal, look }: Watching): Promise<void> {
  let last = await look(signal)
  let seenAt = new Date()
  const { isTTY } = process.stdout
  const restore = () => process.stdout.write(leave)
  if (isTTY) {
    process.once('exit', restore) // however this process ends
    process.stdout.write(enter)
  }
  try {
    for (let problem: string | undefined; ; ) {
      if (isTTY) process.stdout.write(home)
      if (isTTY) print(fitting([...heading(seconds, seenAt, problem), ...last.split('\n')]))
      else if (problem) console.error(problem)
      else print(last)
      await sleep(seconds * 1000, undefined, { signal })
      try {
        last = await look(signal)
        seenAt = new Date()
        problem = undefined
      } catch (error) {
        if (signal.aborted || !isConnectionError(error)) throw error
        problem = describeError(error).split('\n')[0]
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    if (isTTY) {
      process.off('exit', restore)
      restore()
    }
  }
  if (isTTY) print(last)
}

function heading(seconds: number, seenAt: Date, problem: string | undefined): string[] {
  const at = seenAt.toTimeString().slice(0, 'HH:MM:SS'.length)
  return [`every ${seconds} s, seen at ${at}; Ctrl-C ends it`, ...(problem ? [problem] : []), '']
}

/** As many lines as the terminal has: more would scroll, and the next ones come out in the wrong place. */
function fitting(lines: string[]): string {
  const rows = (process.stdout.rows || 24) - 1
  return (lines.length > rows ? [...lines.slice(0, rows - 1), '…'] : lines).join('\n')
}
