import { readFile } from 'node:fs/promises'
import test from 'ava'
import { parse } from 'yaml'
import { expectKnown } from './_command_line.ts'

const service = parse(await readFile('deploy/cloud-run/service.yaml', 'utf8'))
const { annotations } = service.spec.template.metadata
const { containers, volumes } = service.spec.template.spec
const [serve, proxy] = containers

test('the service gives table-metrics what it knows, and asks it where it answers', async (t) => {
  await expectKnown(
    t,
    serve.args,
    serve.env.map(({ name }: { name: string }) => name),
  )
  t.is(serve.startupProbe.httpGet.port, serve.ports[0].containerPort)
  t.is(serve.env[0].value, `${serve.volumeMounts[0].mountPath}/${volumes[0].secret.items[0].path}`)
})

test('the service starts after the proxy, which only it reaches', (t) => {
  t.deepEqual(JSON.parse(annotations['run.googleapis.com/container-dependencies']), {
    [serve.name]: [proxy.name],
  })
  t.true(proxy.args.includes('--address=127.0.0.1'))
  t.is(proxy.ports, undefined)
  t.true(proxy.args.includes(`--http-port=${proxy.startupProbe.httpGet.port}`))
})
