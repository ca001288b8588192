import { Ajv2020 } from 'ajv/dist/2020.js'
import test, { type ExecutionContext } from 'ava'
import { collect } from '../_support/database.ts'
import { batch, cloudEvent } from '../_support/event_service.ts'
import { createHistory } from '../_support/history.ts'
import { startTestService } from '../_support/service.ts'

interface Parameter {
  name: string
  in: string
  required: boolean
  description: string
  example?: string
  schema: object
}
interface Operation {
  operationId: string
  summary: string
  description: string
  tags: string[]
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema: object }> }
  responses: Record<string, { content?: Record<string, { schema: object }>; $ref?: string }>
}

const counted = { sales: { orders: 12, order_items: 30 } }

async function describedService(t: ExecutionContext) {
  const db = await createHistory(t, { 0: counted, 1: counted })
  const service = await startTestService(t, db.url)
  const document = await (await service.get('/v1/openapi.json')).json()
  const operations = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
  )
  return { db, service, document, operations }
}

test('the description has what OpenAPI 3.1 asks for, and names nothing that is not there', async (t) => {
  const { document, operations } = await describedService(t)

  t.is(document.openapi, '3.1.0')
  t.true(
    Object.keys(document).every((key) => /^(openapi|info|servers|tags|security|components|paths)$/.test(key)),
  )
  for (const key of ['title', 'version']) t.is(typeof document.info[key], 'string')
  t.is(new Set(operations.map(({ operationId }) => operationId)).size, operations.length)
  const tags = document.tags.map(({ name }: { name: string }) => name)
  for (const { path, method, summary, description, parameters = [], responses, ...operation } of operations) {
    t.regex(path, /^\/v1\/[a-z./{}_]+$/)
    t.regex(operation.operationId, /^[a-z_]+$/)
    t.true(operation.tags.every((tag) => tags.includes(tag)))
    t.true(summary.length > 10)
    if (path !== '/v1/openapi.json') t.regex(description, /^[A-Z].*\.$/s, path)
    t.deepEqual(
      parameters.filter((each) => each.in === 'path').map(({ name }) => name),
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
    )
    for (const parameter of parameters) {
      t.true(['path', method === 'get' ? 'query' : 'header'].includes(parameter.in))
      t.true(parameter.description.length > 10)
      if (parameter.in === 'path') t.true(parameter.required)
    }
    t.true(responses[method === 'get' ? '200' : '202'] !== undefined && responses.default !== undefined)
  }
  for (const [, place = ''] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    t.truthy(
      place.split('/').reduce((found, key) => found?.[key], document),
      place,
    )
  }
  for (const scheme of document.security.flatMap(Object.keys)) {
    t.is(document.components.securitySchemes[scheme].type, 'http')
  }
})

test('what each question answers is described in the words of its function', async (t) => {
  const { db, operations } = await describedService(t)
  const [{ comment }] = await db.sql<[{ comment: string }]>`
    select obj_description('nms.trend_report(text, text, integer, text, boolean)'::regprocedure) as comment
  `

  t.is(operations.find(({ path }) => path === '/v1/trend')?.description, comment)
})

test('each path, asked with the examples of its parameters, answers what is described and nothing else', async (t) => {
  const { db, service, document, operations } = await describedService(t)
  await db.sql`create table public.things as select 1 as id`
  await collect(db.sql)
  await db.sql`
    insert into nms.table_metrics_filtered_counts (
      run_id, schema_name, table_name, filter_name, row_count, measured_at, table_oid
    )
    select run_id, schema_name, table_name, 'active', 1, measured_at, table_oid
    from nms.table_metrics_measurements
    where schema_name = 'sales' and table_name = 'orders'
  `
  const ajv = new Ajv2020({ strict: false, formats: { date: true, 'date-time': true, int64: true } })
  ajv.addSchema({ $id: 'all', components: document.components })

  t.true(operations.length >= 12)
  for (const { path, method, parameters = [], responses } of operations) {
    if (method !== 'get') continue
    const query = new URLSearchParams()
    let asked = path
    for (const { name, in: place, example, schema } of parameters) {
      if (example === undefined) continue
      t.true(ajv.validate(schema, example), `${path} ${name}: ${example}`)
      if (place === 'path') asked = asked.replace(`{${name}}`, example)
      else query.set(name, example)
    }
    const response = await service.get(`${asked}?${query}`)
    const answer = await response.json()
    t.is(response.status, 200, `${asked}?${query}: ${JSON.stringify(answer)}`)
    const text = JSON.stringify(responses['200']?.content?.['application/json']?.schema)
    const described = JSON.parse(text.replaceAll('"#/components', '"all#/components'))
    t.true(ajv.validate(described, answer), `${path}: ${ajv.errorsText()} ${JSON.stringify(answer)}`)
    const { properties } = described as { properties?: object }
    if (properties) t.deepEqual(Object.keys(answer).sort(), Object.keys(properties).sort(), path)
  }
})

test('what may be posted as an event is described, and so is each answer', async (t) => {
  const { operations } = await describedService(t)
  const posted = operations.find(({ method }) => method === 'post')
  const ajv = new Ajv2020({ strict: false })
  const isDescribed = (type: string, body: object) =>
    ajv.validate(posted?.requestBody?.content[type]?.schema as object, body)

  t.is(posted?.path, '/v1/events')
  for (const [headers, body] of [
    cloudEvent('1'),
    cloudEvent('2', { skipSchemas: ['tmp'] }),
    batch('3', '4'),
  ]) {
    t.true(isDescribed(headers['content-type'] as string, body), ajv.errorsText())
  }
  t.true(isDescribed('application/json', { subscription: 's', message: { messageId: '1', data: 'e30=' } }))
  t.false(isDescribed('application/cloudevents+json', { id: '1' }))
  t.false(isDescribed(...cloudEventWith({ skipSchemas: 'tmp' })))
  t.deepEqual(
    Object.keys(posted?.responses ?? {}).filter((status) => status.startsWith('2')),
    ['202', '204'],
  )
})

const cloudEventWith = (data: object): [string, object] => {
  const [headers, body] = cloudEvent('1', data)
  return [headers['content-type'] as string, body]
}
