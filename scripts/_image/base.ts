import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Makes an image to build on where none can be pulled: Debian's packages by debootstrap, node and npm by npm. It
 * trusts what this machine trusts; nothing of it is left in the image that is built on it, but node and its libraries.
 *
 * @returns its name
 */
export async function makeBase(): Promise<string> {
  const { devDependencies } = JSON.parse(await readFile('package.json', 'utf8'))
  const name = `localhost/debian-node:${devDependencies.node}`
  const home = await mkdtemp(join(tmpdir(), 'table-metrics-base-'))
  const root = join(home, 'root')
  try {
    await run('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'bookworm', root])
    await run('npm', ['install', '--no-save', '--prefix', home, `node@${devDependencies.node}`, 'npm@11'])
    await cp(join(home, 'node_modules/node/bin/node'), join(root, 'usr/local/bin/node'))
    await cp(join(home, 'node_modules/npm'), join(root, 'usr/local/lib/node_modules/npm'), {
      recursive: true,
    })
    await cp('/etc/ssl/certs/ca-certificates.crt', join(root, 'etc/ssl/certs/ca-certificates.crt'))
    const container = (await run('buildah', ['from', 'scratch'])).stdout.trim()
    try {
      await run('buildah', ['add', '--quiet', container, root, '/'])
      await run('buildah', [
        'run',
        container,
        'ln',
        '-s',
        '../lib/node_modules/npm/bin/npm-cli.js',
        '/usr/local/bin/npm',
      ])
      await run('buildah', [
        'config',
        '--env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        '--env=NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt',
        container,
      ])
      await run('buildah', ['commit', '--quiet', container, name])
    } finally {
      await run('buildah', ['rm', container])
    }
  } finally {
    await run('rm', ['-rf', '--', home])
  }
  return name
}
