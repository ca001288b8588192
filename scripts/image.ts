// Builds the image with buildah and tries it on a PostgreSQL of its own: npm run image. --own-base makes what it is
// built on, where nothing can be pulled; --base names that. As root, BUILDAH_ISOLATION=chroot needs no runtime.
import { execFile, spawn } from 'node:child_process'
import { parseArgs, promisify } from 'node:util'
import { makeBase } from './_image/base.ts'
import { tryImage } from './_image/trial.ts'

const { values } = parseArgs({ options: { 'own-base': { type: 'boolean' }, base: { type: 'string' } } })
const tag = 'localhost/table-metrics'

const base = values['own-base'] ? await timed('the base', makeBase) : values.base
await timed('the image', () => build(base))
console.log(await describe())
await timed('the trial', () => tryImage(tag))

/** The same files make the same layer, whenever it is built. */
function build(base: string | undefined): Promise<void> {
  return stream('buildah', [
    'build',
    '--format=docker', // of the formats, the one that has a HEALTHCHECK
    '--timestamp=0',
    ...(base ? [`--build-arg=BASE=${base}`] : []),
    `--tag=${tag}`,
    '.',
  ])
}

async function describe(): Promise<string> {
  const run = promisify(execFile)
  const { stdout: size } = await run('buildah', ['images', '--format', '{{.Size}}', tag])
  const { stdout } = await run('buildah', ['inspect', '--type=image', tag])
  return `${tag}: ${size.trim()}, layer ${JSON.parse(stdout).Docker.rootfs.diff_ids}`
}

function stream(command: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    spawn(command, args, { stdio: 'inherit' })
      .once('error', reject)
      .once('close', (status) =>
        status === 0 ? resolve() : reject(new Error(`${command} ended with ${status}`)),
      )
  })
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const begin = performance.now()
  const result = await work()
  console.log(`${what}: ${((performance.now() - begin) / 1000).toFixed(1)} s`)
  return result
}
