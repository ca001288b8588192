import { readFileSync } from 'node:fs'
import { constants } from 'node:os'

/**
 * Aborts when this process is told to end: by Ctrl-C, SIGTERM, a terminal that closes, or the end of
 * the npm that has started it. A second signal ends it at once.
 */
export function interruption(): AbortSignal {
  const controller = new AbortController()
  let first: { name: NodeJS.Signals; at: number } | undefined
  const stop = (name: NodeJS.Signals) => {
    // npm hands on a Ctrl-C that the terminal has sent to both.
    const isEcho = first?.name === name && Date.now() < first.at + 500
    if (controller.signal.aborted && !isEcho) process.exit(128 + constants.signals[name])
    first ??= { name, at: Date.now() }
    controller.abort(new Error(`stopped by ${name}`))
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop)
  const npm = npmAbove()
  if (npm) onceGone(npm, () => controller.abort(new Error('stopped: the npm that has started it is gone')))
  return controller.signal
}

/** There is no event for that: npm and the shell between us end without a word to us. */
function onceGone(ancestors: string, act: () => void): void {
  const timer = setInterval(() => {
    if (npmAbove() === ancestors) return
    clearInterval(timer)
    act()
  }, 1_000).unref()
}

/**
 * The process id of the npm, pnpm or yarn that has started this process and waits for it; behind it, that of the
 * shell in between. Undefined for a process that was put into the background: it is meant to go on alone.
 */
export function npmAbove(env = process.env, pid = process.pid): string | undefined {
  const script = env.npm_lifecycle_script
  if (!script || /(?<!&)&(?!&)/.test(script)) return
  const parent = parentOf(pid)
  const [program = '', option, command = ''] = argumentsOf(parent)
  if (/^(npm|npx|pnpm|yarn)\b/.test(program)) return parent
  if (option === '-c' && command.startsWith(script)) return `${parentOf(parent)} ${parent}`
}

// Nothing where the system does not tell.
const argumentsOf = (pid: string) => read(`/proc/${pid}/cmdline`).split('\0')
const parentOf = (pid: number | string) => /^PPid:\s*(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? ''

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
