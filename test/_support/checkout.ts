import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { type Finished, run } from './process.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** current.sql when nothing is pending. */
export const blank = '-- Nothing is pending: write the next migration here.\n'

/** A copy of this checkout with which a test may do what it likes. */
export interface Checkout {
  folder: string
  read(file: string): Promise<string>
  write(file: string, text: string): Promise<void>
  remove(file: string): Promise<void>
  /** @throws when that changes nothing: the file is not what the test takes it for */
  edit(file: string, change: (text: string) => string): Promise<void>
  /** Everything that a commit of a migration may write. */
  contents(): Promise<[path: string, text: string][]>
  /** Runs scripts/db_commit.ts. */
  commit(...message: string[]): Promise<Finished>
}

/** Makes a copy that is removed when the test ends. */
export async function copyCheckout(t: ExecutionContext): Promise<Checkout> {
  const folder = await mkdtemp(join(tmpdir(), 'checkout-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const part of [
    'src',
    'scripts',
    'migrations',
    'docs',
    'demo',
    '.gmrc',
    'CHANGELOG.md',
    'package.json',
  ]) {
    await cp(join(project, part), join(folder, part), { recursive: true, verbatimSymlinks: true })
  }
  await cp(join(project, 'test/_support/versions.ts'), join(folder, 'test/_support/versions.ts'))
  await mkdir(join(project, '.cache'), { recursive: true })
  for (const linked of ['node_modules', '.cache']) await symlink(join(project, linked), join(folder, linked))
  const read = (file: string) => readFile(join(folder, file), 'utf8')
  const write = (file: string, text: string) => writeFile(join(folder, file), text)
  await write('current.sql', blank)
  return {
    folder,
    read,
    write,
    remove: (file) => rm(join(folder, file)),
    async edit(file, change) {
      const before = await read(file)
      const after = change(before)
      if (after === before) throw new Error(`${file} stays as it is`)
      await write(file, after)
    },
    async contents() {
      const names = await readdir(join(folder, 'migrations'), { recursive: true })
      const paths = names.filter((name) => name.endsWith('.sql')).map((name) => `migrations/${name}`)
      return Promise.all(
        [...paths.sort(), 'current.sql', 'docs/reference.md'].map(async (path) => [path, await read(path)]),
      )
    },
    commit: (...message) =>
      run(t, process.execPath, [join(folder, 'scripts/db_commit.ts'), ...message], {
        cwd: folder,
        // None of these is a setting of ours.
        env: {
          HOME: folder,
          PGHOST: 'nowhere.invalid',
          PGSSLMODE: 'verify-full',
          DATABASE_URL: 'postgres://nowhere.invalid/none',
        },
      }),
  }
}
