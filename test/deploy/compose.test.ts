import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { run } from '../_support/process.ts'
import { expectKnown } from './_command_line.ts'

const { services, secrets, volumes, configs } = parse(await readFile('compose.yaml', 'utf8'), { merge: true })
const ours = Object.entries<Service>(services).filter(([, { image }]) => image === 'table-metrics')

test('nothing listens but on this machine, has rights, or writes outside of its folders', (t) => {
  for (const [name, service] of Object.entries<Service>(services)) {
    for (const port of service.ports ?? []) t.regex(port, /^127\.0\.0\.1:\d+:\d+$/, name)
    t.true(service.read_only, name)
    t.deepEqual(service.cap_drop, ['ALL'], name)
    t.deepEqual(service.security_opt, ['no-new-privileges:true'], name)
    t.is(service.privileged ?? service.network_mode ?? service.cap_add, undefined, name)
  }
})

test('no password is written down, and each secret is a file that somebody is given', (t) => {
  for (const [name, { environment = {} }] of Object.entries<Service>(services)) {
    for (const [variable, value] of Object.entries(environment)) {
      if (/PASSWORD|URL$|TOKEN|SECRET/.test(variable)) t.notRegex(value, /@|^[^/]*$/, `${name}: ${variable}`)
    }
  }
  const given = Object.values<Service>(services).flatMap((service) => service.secrets ?? [])
  t.deepEqual([...new Set(given)].sort(), Object.keys(secrets).sort())
  for (const [name, { file }] of Object.entries<{ file: string }>(secrets)) t.is(file, `secrets/${name}`)
})

test('each file that a variable names is a secret of that service', (t) => {
  for (const [name, service] of Object.entries<Service>(services)) {
    for (const value of Object.values(service.environment ?? {})) {
      const [, secret] = /^\/run\/secrets\/(.*)$/.exec(value) ?? []
      if (secret) t.true(service.secrets?.includes(secret), `${name}: ${secret}`)
    }
  }
})

for (const [name, { command = ['serve'], environment = {} }] of ours) {
  test(`${name} gives table-metrics what it knows`, async (t) => {
    await expectKnown(t, command, Object.keys(environment))
  })
}

test('everybody waits for whom they need: healthy where there is a check, done where it ends', (t) => {
  const healthy = (name: string) => !services[name].healthcheck?.disable
  t.deepEqual(services.migrate.depends_on, { postgres: { condition: 'service_healthy' } })
  for (const [name, { depends_on = {} }] of Object.entries<Service>(services)) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      t.truthy(services[other], `${name} waits for ${other}`)
      if (condition === 'service_healthy') t.true(healthy(other), `${other} has no check`)
      else t.is(other, 'migrate')
    }
  }
  for (const name of ['worker', 'serve']) {
    t.deepEqual(services[name].depends_on, { migrate: { condition: 'service_completed_successfully' } })
  }
})

test('the database, the worker and the service start without a profile', (t) => {
  const always = Object.entries<Service>(services).filter(([, { profiles }]) => !profiles)
  t.deepEqual(
    always.map(([name]) => name),
    ['postgres', 'migrate', 'worker', 'serve'],
  )
  t.deepEqual(services.prometheus.profiles, ['prometheus'])
  t.deepEqual(services.grafana.profiles, ['grafana'])
})

test('our image is built, never one of the same name pulled', (t) => {
  t.deepEqual(
    ours.map(([, { pull_policy }]) => pull_policy),
    ['build', 'build', 'build'],
  )
})

test('every image is pinned, every folder of ours is there, every volume is declared', (t) => {
  for (const [name, { image, build, volumes: mounts = [] }] of Object.entries<Service>(services)) {
    t.true(build !== undefined || /:v?\d+\.\d+/.test(image), name)
    for (const mount of mounts) {
      const [source = ''] = mount.split(':')
      if (source.startsWith('./')) t.true(existsSync(source), `${name}: ${source}`)
      else t.true(source in volumes, `${name}: ${source}`)
    }
  }
})

test('Prometheus accepts its configuration, which asks the service with its token', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-compose-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const { content } = configs['prometheus.yml']
  const [scrape] = parse(content).scrape_configs
  const file = join(folder, 'prometheus.yml')
  await writeFile(join(folder, 'alerts.yml'), await readFile('prometheus/alerts.yml'))
  await writeFile(join(folder, 'token'), 'a token')
  await writeFile(
    file,
    content
      .replace('/run/secrets/token', join(folder, 'token'))
      .replace('/alerts.yml', join(folder, 'alerts.yml')),
  )

  const { status, stdout, stderr } = await run(t, 'promtool', ['check', 'config', file])

  t.is(status, 0, stdout + stderr)
  t.deepEqual(scrape.static_configs, [{ targets: ['serve:8787'] }])
  t.true(services.prometheus.secrets.includes('token'))
  t.deepEqual(services.serve.ports, ['127.0.0.1:8787:8787'])
})

test('Grafana is told all that its data sources ask the environment for', async (t) => {
  const text = await readFile('grafana/provisioning/datasources/table-metrics.yaml', 'utf8')
  const dashboards = parse(await readFile('grafana/provisioning/dashboards/table-metrics.yaml', 'utf8'))
  const asked = [...text.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name as string)

  t.deepEqual(
    asked.filter((name) => !(name in services.grafana.environment)),
    ['TABLE_METRICS_PASSWORD'],
  )
  const path: string = dashboards.providers[0].options.path
  t.true(services.grafana.volumes.includes(`./grafana/dashboards:${path}:ro`))
})

test('what docs/deploy.md types makes the secrets, which nobody else can reach', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'table-metrics-compose-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const page = await readFile('docs/deploy.md', 'utf8')
  const [, code = ''] = /^```sh\n(mkdir .*?)^```$/ms.exec(page) ?? []

  const { status, stderr } = await run(t, 'sh', ['-euc', code], { cwd: folder })

  t.is(status, 0, stderr)
  const given = Object.values<{ file: string }>(secrets).map(({ file }) => file)
  const made = (await readdir(join(folder, 'secrets'))).map((name) => `secrets/${name}`)
  t.deepEqual(made.sort(), [...given, ...services.grafana.env_file].sort())
  t.is((await stat(join(folder, 'secrets'))).mode & 0o777, 0o700)
  const read = (file: string) => readFile(join(folder, 'secrets', file), 'utf8')
  const { host, pathname, password } = new URL((await read('database_url')).trim())
  t.is(password, (await read('postgres_password')).trim())
  t.is(`${host}${pathname}`, `postgres/${services.postgres.environment.POSTGRES_DB}`)
  t.regex(await read('token'), /^[0-9a-f]{64}\n$/)
  t.regex(
    await read('grafana.env'),
    /^GF_SECURITY_ADMIN_PASSWORD=[0-9a-f]{48}\nTABLE_METRICS_PASSWORD=[0-9a-f]{48}\n$/,
  )
})

interface Service {
  image: string
  build?: object
  pull_policy?: string
  command?: string[]
  environment?: Record<string, string>
  secrets?: string[]
  ports?: string[]
  volumes?: string[]
  profiles?: string[]
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { disable?: boolean }
  read_only?: boolean
  cap_drop?: string[]
  cap_add?: string[]
  security_opt?: string[]
  privileged?: boolean
  network_mode?: string
}
