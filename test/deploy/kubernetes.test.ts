import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { parse, parseAllDocuments } from 'yaml'
import { expectKnown } from './_command_line.ts'

const folder = 'deploy/kubernetes'
const all = await pods()
const { images } = parse(await readFile(join(folder, 'kustomization.yaml'), 'utf8'))
const [yours] = images

test('kustomization.yaml names what lies beside it, each a file, and either the worker or the schedule', async (t) => {
  const text = await readFile(join(folder, 'kustomization.yaml'), 'utf8')
  const { resources } = parse(text)
  const others = [...text.matchAll(/^ {2}# - (.+)$/gm)].map(([, file]) => file)
  const files = (await readdir(folder)).filter((file) => file !== 'kustomization.yaml')

  t.deepEqual([...resources, ...others].sort(), files.sort())
  t.deepEqual(others, ['collect.yaml'])
})

for (const { name, spec } of all) {
  test(`${name} is allowed by the restricted Pod Security Standard`, (t) => {
    for (const host of ['hostNetwork', 'hostPID', 'hostIPC']) t.falsy(spec[host])
    for (const volume of spec.volumes) {
      const [kind = ''] = Object.keys(volume).filter((key) => key !== 'name')
      t.true(volumeKinds.includes(kind), kind)
    }
    const pod = spec.securityContext
    t.deepEqual(Object.keys(pod).sort(), [
      'fsGroup',
      'runAsGroup',
      'runAsNonRoot',
      'runAsUser',
      'seccompProfile',
    ])
    t.true(pod.runAsNonRoot)
    t.true(pod.runAsUser > 0)
    t.is(pod.seccompProfile.type, 'RuntimeDefault')
    t.is(spec.initContainers, undefined)
    for (const { securityContext, ports = [] } of spec.containers) {
      t.deepEqual(Object.keys(securityContext).sort(), [
        'allowPrivilegeEscalation',
        'capabilities',
        'readOnlyRootFilesystem',
      ])
      t.false(securityContext.allowPrivilegeEscalation)
      t.deepEqual(securityContext.capabilities, { drop: ['ALL'] })
      for (const port of ports) t.is(port.hostPort, undefined)
    }
  })

  test(`${name} asks for no more than it needs`, (t) => {
    t.false(spec.automountServiceAccountToken)
    for (const { resources, securityContext, env, volumeMounts } of spec.containers) {
      t.true(securityContext.readOnlyRootFilesystem)
      t.deepEqual(Object.keys(resources.limits), ['memory'])
      t.deepEqual(Object.keys(resources.requests), ['cpu', 'memory'])
      for (const variable of env) t.is(variable.valueFrom, undefined)
      for (const mount of volumeMounts) t.true(mount.readOnly)
    }
    for (const { secret } of spec.volumes) t.is(secret.defaultMode, 0o440)
  })

  test(`${name} gives table-metrics what it knows, and files that are there`, async (t) => {
    const [{ image, args, env, volumeMounts }] = spec.containers
    t.is(image, `${yours.name}:${yours.newTag}`)
    await expectKnown(
      t,
      args,
      env.map((variable: { name: string }) => variable.name),
    )
    const files = spec.volumes.flatMap(({ name, secret }: Volume) =>
      secret.items.map(({ path }) =>
        join(volumeMounts.find((mount: { name: string }) => mount.name === name).mountPath, path),
      ),
    )
    t.deepEqual(env.map((variable: { value: string }) => variable.value).sort(), files.sort())
  })
}

test('the keys of the secret are what docs/deploy.md makes', async (t) => {
  const page = await readFile('docs/deploy.md', 'utf8')
  const made = [...page.matchAll(/--from-file=([\w-]+)/g)].map(([, key]) => key)
  const wanted = all.flatMap(({ spec }) =>
    spec.volumes.flatMap(({ secret }: Volume) => secret.items.map(({ key }) => key)),
  )

  t.deepEqual([...new Set(wanted)].sort(), made.sort())
})

test('a new worker starts when the old one has ended, and that has time to', async (t) => {
  const [worker] = await documents('worker.yaml')

  t.deepEqual(worker.spec.strategy, { type: 'Recreate' })
  t.is(worker.spec.replicas, 1)
  t.true(worker.spec.template.spec.terminationGracePeriodSeconds > 10)
})

test('the service leads to the port that is served and asked', async (t) => {
  const [deployment, service] = await documents('serve.yaml')
  const [container] = deployment.spec.template.spec.containers
  const [port] = container.ports

  t.deepEqual(service.spec.selector, deployment.spec.template.metadata.labels)
  t.deepEqual(deployment.spec.selector.matchLabels, deployment.spec.template.metadata.labels)
  t.is(service.spec.ports[0].targetPort, port.name)
  t.is(String(port.containerPort), container.args[container.args.indexOf('--port') + 1])
  t.deepEqual(container.livenessProbe.httpGet, { path: '/live', port: port.name })
  t.deepEqual(container.startupProbe.httpGet, { path: '/live', port: port.name })
  t.deepEqual(container.readinessProbe.httpGet, { path: '/ready', port: port.name })
  const { terminationGracePeriodSeconds } = deployment.spec.template.spec
  t.true(terminationGracePeriodSeconds > container.lifecycle.preStop.sleep.seconds + 10)
})

type Volume = { name: string; secret: { items: { key: string; path: string }[] } }

const volumeKinds = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
]

// biome-ignore lint/suspicious/noExplicitAny: what Kubernetes would make of it is asserted
type Document = any

async function pods(): Promise<{ name: string; spec: Document }[]> {
  const files = (await readdir(folder)).filter((file) => file !== 'kustomization.yaml')
  return (await Promise.all(files.map(documents)))
    .flat()
    .map(({ kind, metadata, spec }) => ({
      name: `${kind} ${metadata.name}`,
      spec: (spec?.jobTemplate?.spec ?? spec)?.template?.spec,
    }))
    .filter(({ spec }) => spec)
}

async function documents(file: string): Promise<Document[]> {
  return parseAllDocuments(await readFile(join(folder, file), 'utf8')).map((document) => {
    if (document.errors[0]) throw document.errors[0]
    return document.toJS()
  })
}
