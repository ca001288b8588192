// What scripts/image.ts does not see by running it.
import { readFile } from 'node:fs/promises'
import test from 'ava'
import { versions } from '../_support/versions.ts'

const containerfile = await readFile('Containerfile', 'utf8')
const page = await readFile('docs/deploy.md', 'utf8')
const compose = await readFile('compose.yaml', 'utf8')
const { devDependencies, files, version } = JSON.parse(await readFile('package.json', 'utf8'))

test('versions are the same wherever they are named', async (t) => {
  const [, node] = /^ARG BASE=.*node:([\d.]+)-/m.exec(containerfile) ?? []
  const [, inDocs] = /docker\.io\/library\/node:([\d.]+)-/.exec(page) ?? []
  const [, postgres] = /image: .*\/postgres:([\d.]+)-/.exec(compose) ?? []
  const kustomization = await readFile('deploy/kubernetes/kustomization.yaml', 'utf8')
  const service = await readFile('deploy/cloud-run/service.yaml', 'utf8')

  t.is(node, devDependencies.node)
  t.is(inDocs, devDependencies.node)
  t.true(versions[18].startsWith(`${postgres}.`))
  t.true(kustomization.includes(`newTag: ${version}\n`))
  t.true(service.includes(`table-metrics:${version}\n`))
  const named = [...page.matchAll(/(?:table-metrics[:-])(\d+\.\d+\.\d+)/g)].map(([, version]) => version)
  t.deepEqual([...new Set(named)], [version])
})

test('the image is given all of the package, and nothing but what it is made of', async (t) => {
  const allowed = (await readFile('.dockerignore', 'utf8')).trim().split('\n')
  const given = allowed.slice(1).map((line) => line.replace(/^!/, ''))
  const packed = files.map((path: string) => path.split('/')[0]).filter((folder: string) => folder !== 'dist')

  t.is(allowed[0], '*')
  t.deepEqual(
    [...new Set([...given, ...packed])].sort(),
    given,
    'a folder of "files" in package.json is missing in .dockerignore',
  )
})

test('the image runs without a shell, as a user by number', (t) => {
  const stage = containerfile.slice(containerfile.lastIndexOf('\nFROM scratch\n'))

  t.regex(stage, /^USER \d+:\d+$/m)
  t.notRegex(stage, /^(RUN|ADD|SHELL)\b/m)
  const commands = [...stage.matchAll(/^(?:ENTRYPOINT|CMD| +CMD) (.*)$/gm)]
  t.not(commands.length, 0)
  for (const [, command = ''] of commands) t.true(Array.isArray(JSON.parse(command)), command)
})
