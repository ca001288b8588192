import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const execute = promisify(execFile)

type Variables = Record<string, string>
type Output = Promise<{ stdout: string; stderr: string }>

/** A container of an image, in which programs run as the image says: user, folder and environment are its own. */
export interface Container {
  /** Its CMD, and what its HEALTHCHECK runs. */
  command: string[]
  healthcheck: string[]
  /** Where its files lie here. */
  root: string
  /** Runs a program to its end. Rejects unless that ends well. */
  run(program: string[], env?: Variables): Output
  /** Runs its ENTRYPOINT with a database. */
  tableMetrics(args: string[]): Output
  start(args: string[], env?: Variables): Service
  /** Stops what was started, too. */
  remove(): Promise<void>
}

export interface Service {
  /** Resolves once it has written this; rejects when it ends before. */
  writes(what: RegExp): Promise<void>
  /** Sends SIGTERM, and resolves to the exit status. */
  stop(): Promise<number | null>
}

/** @param files which files of this machine it sees, and where */
export async function createContainer(tag: string, files: Variables): Promise<Container> {
  const name = (await execute('buildah', ['from', tag])).stdout.trim()
  const root = (await execute('buildah', ['mount', name])).stdout.trim()
  const { stdout } = await execute('buildah', ['inspect', '--type=image', tag])
  const { Cmd, Entrypoint, Healthcheck } = JSON.parse(stdout).Docker.config
  const given = [
    'run',
    ...Object.entries(files).map(([from, to]) => `--volume=${from}:${to}:ro`),
    '--env=DATABASE_URL_FILE=/run/secrets/database_url',
  ]
  const args = (program: string[], env: Variables = {}) => [
    ...given,
    ...Object.entries(env).map(([variable, value]) => `--env=${variable}=${value}`),
    name,
    '--',
    ...program,
  ]
  const services: Service[] = []
  const runProgram = (program: string[], env?: Variables) => execute('buildah', args(program, env))
  return {
    command: Cmd,
    healthcheck: Healthcheck.Test.slice(1),
    root,
    run: runProgram,
    tableMetrics: (more) => runProgram([...Entrypoint, ...more]),
    start: (more, env) => {
      const service = startService(args([...Entrypoint, ...more], env))
      services.push(service)
      return service
    },
    remove: async () => {
      for (const service of services) await service.stop()
      await execute('buildah', ['rm', name])
    },
  }
}

function startService(args: string[]): Service {
  const child = spawn('buildah', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const ended = once(child, 'close')
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text
    })
  }
  return {
    async writes(what) {
      while (!what.test(output)) {
        await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), ended])
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${output}`)
      }
    },
    // To the program itself: a runtime passes the signal on, buildah kills.
    async stop() {
      if (child.exitCode === null) process.kill(await lastOfLine(child.pid as number), 'SIGTERM')
      const [status] = await ended
      return status
    },
  }
}

/** The process that a chain of them, each the child of the one before, was started for. */
async function lastOfLine(pid: number): Promise<number> {
  const threads = (await readdir(`/proc/${pid}/task`)).map((thread) => `/proc/${pid}/task/${thread}/children`)
  const children = await Promise.all(threads.map((file) => readFile(file, 'utf8')))
  const child = Number.parseInt(children.join(''), 10)
  return child ? lastOfLine(child) : pid
}
