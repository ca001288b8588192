import { type SpawnOptions, spawn } from 'node:child_process'
import { readdir, readlink } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

/** How a program ended, and what it wrote. */
export interface Finished {
  /** Exit status; null when a signal ended it. */
  status: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** A program that is running. */
export interface Running {
  pid: number
  kill(signal: NodeJS.Signals): void
  /** What it has written to standard output so far. */
  stdout(): string
  /** The same of standard error. */
  stderr(): string
  finished: Promise<Finished>
}

export type ProcessOptions = Pick<SpawnOptions, 'cwd' | 'uid' | 'gid'> & {
  /** All of its environment but PATH and what run.ts says: what the machine's own says must not decide a test. */
  env?: Record<string, string>
}

// Half of the time of a short command goes into stripping types and compiling.
const { NODE_COMPILE_CACHE } = process.env
const compiled = NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }

/** Starts a program without a terminal. It is killed when the test ends. */
export function start(
  t: ExecutionContext,
  command: string,
  args: string[],
  { env, ...options }: ProcessOptions = {},
): Running {
  const child = spawn(command, args, {
    ...options,
    env: { PATH: process.env.PATH, ...compiled, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }))
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await finished.catch(() => undefined)
  })
  return {
    pid: child.pid ?? 0,
    kill: (signal) => child.kill(signal),
    stdout: () => stdout,
    stderr: () => stderr,
    finished,
  }
}

/** Runs a program to its end. */
export function run(
  t: ExecutionContext,
  command: string,
  args: string[],
  options?: ProcessOptions,
): Promise<Finished> {
  return start(t, command, args, options).finished
}

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

/** Starts `table-metrics` on a database. */
export function startTableMetrics(
  t: ExecutionContext,
  url: string,
  args: string[],
  env: Record<string, string> = {},
): Running {
  return start(t, process.execPath, [cli, ...args], { env: { DATABASE_URL: url, ...env } })
}

/** Runs `table-metrics` on a database. */
export function tableMetrics(
  t: ExecutionContext,
  url: string,
  args: string[],
  env?: Record<string, string>,
): Promise<Finished> {
  return startTableMetrics(t, url, args, env).finished
}

/** True while a process exists and has not ended. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Asserts that a program failed with one message for a person, in which every one of these words is. */
export function failsClearly(t: ExecutionContext, finished: Finished, ...words: string[]): void {
  const { status, stdout, stderr } = finished
  t.is(status, 1, stderr)
  t.is(stdout, '')
  t.is(stderr.match(/^error: /gm)?.length, 1, stderr)
  t.notRegex(stderr, /^\s+at |node:internal|Error: /m)
  for (const word of words) t.true(stderr.includes(word), `${word} is not in: ${stderr}`)
}

/** Process ids of those that work in a folder, as all processes of a server do in its data directory. */
export async function processesIn(folder: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')))
  return pids.filter((_, n) => folders[n] === folder).map(Number)
}
