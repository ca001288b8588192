import test from 'ava'
import { readEvents } from '../../../src/serve/events/envelope.ts'
import { Problem } from '../../../src/serve/problem.ts'

type Headers = Record<string, string>

const read = (headers: Headers, body: string | object | Buffer = '') =>
  readEvents(
    headers,
    Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  )

const statusOf = (headers: Headers, body?: string | object | Buffer): number => {
  try {
    read(headers, body)
    return 200
  } catch (error) {
    if (error instanceof Problem) return error.status
    throw error
  }
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
const json = { 'content-type': 'application/json' }
const structured = { 'content-type': 'application/cloudevents+json' }
const batched = { 'content-type': 'application/cloudevents-batch+json' }
const minimal = { specversion: '1.0', id: '1', type: 'io.cloudevents.test', source: 'https://cloudevents.io' }
const binary = {
  'ce-specversion': '1.0',
  'ce-type': 'com.example.someevent',
  'ce-id': '1234-1234-1234',
  'ce-source': '/mycontext/subcontext',
}
const push = (message: object) => ({ subscription: 'projects/p/subscriptions/s', message })
const named = { source: '/mycontext/subcontext', id: '1234-1234-1234' }
const pushed = { source: '//pubsub.googleapis.com/projects/p/subscriptions/s', id: '136969346945' }
const request = '{"skipSchemas": ["tmp"]}'

// cloudevents/conformance, features/http-protocol-binding.feature
for (const contentType of ['application/json', 'application/json; charset=utf-8']) {
  test(`conformance: binary content mode (${contentType})`, (t) => {
    const headers = { ...binary, 'ce-time': '2018-04-05T03:56:24Z', 'content-type': contentType }
    const body = '{\n    "message": "Hello World!"\n}'
    t.deepEqual(read(headers, body), [{ ...named, request: body }])
  })
}
for (const contentType of [
  'application/cloudevents+json',
  'application/cloudevents+json; charset=utf-8',
  'Application/CloudEvents+JSON; Charset="UTF-8"',
]) {
  test(`conformance: structured content mode (${contentType})`, (t) => {
    const event = {
      specversion: '1.0',
      type: 'com.example.someevent',
      time: '2018-04-05T03:56:24Z',
      ...named,
      datacontenttype: 'application/json',
      data: { message: 'Hello World!' },
    }
    t.deepEqual(read({ 'content-type': contentType }, event), [
      { ...named, request: '{"message":"Hello World!"}' },
    ])
  })
}

// cloudevents/conformance, format/json: what concerns the attributes that are read
const invalid: Record<string, object> = {
  'no specversion': { ...minimal, specversion: undefined },
  'no id': { ...minimal, id: undefined },
  'no type': { ...minimal, type: undefined },
  'no source': { ...minimal, source: undefined },
  'an empty id': { ...minimal, id: '' },
  'an empty type': { ...minimal, type: '' },
  'an empty source': { ...minimal, source: '' },
  'an empty specversion': { ...minimal, specversion: '' },
  'an unknown specversion': { ...minimal, specversion: '0.9' },
  'a numeric id': { ...minimal, id: 25 },
  'an object as id': { ...minimal, id: { xyz: 'abc' } },
  'data twice': { ...minimal, data: 'text', data_base64: 'eyAieHl6IjogMTIzIH0=' },
}
for (const [what, event] of Object.entries(invalid)) {
  test(`conformance: an event with ${what} is malformed, also in a batch`, (t) => {
    t.is(statusOf(structured, event), 400)
    t.is(statusOf(batched, [minimal, event]), 400)
  })
}

test('conformance: valid events', (t) => {
  const valid = [
    minimal,
    { ...minimal, datacontenttype: null, dataschema: null, subject: null, time: null, data: null },
    {
      ...minimal,
      datacontenttype: 'text/plain',
      dataschema: 'https://a.b/c',
      subject: 'tests',
      time: '2018-04-05T17:31:00Z',
    },
    { ...minimal, extinteger: 10, extboolean: true, extstring: 'text', extbinary: 'TWE=' },
    { ...minimal, source: '#fragment' },
  ]
  for (const event of valid) {
    t.deepEqual(read(structured, event), [{ source: event.source, id: '1', request: '{}' }])
  }
  t.is(
    read(structured, { ...minimal, datacontenttype: 'text/plain', data: 'Simple text' })[0]?.request,
    'Simple text',
  )
})

test('conformance: batches', (t) => {
  t.deepEqual(read(batched, []), [])
  t.is(read(batched, [minimal, minimal]).length, 2)
  t.is(statusOf(batched, ['not an object', minimal]), 400)
  t.is(statusOf(batched, minimal), 400)
  t.is(statusOf(structured, [minimal]), 400)
  t.is(statusOf(batched, Array(101).fill(minimal)), 413)
  const error = t.throws(() => read(batched, [minimal, { ...minimal, id: 7 }]))
  t.is(error?.message, 'event 1: id: saw 7, expected a text')
})

test('attributes in headers are unquoted, then decoded once', (t) => {
  const ids: Record<string, string> = {
    'Euro%20%E2%82%AC%20%F0%9F%98%80': 'Euro € \u{1f600}',
    'euro%e2%82%ac': 'euro€',
    '%2541': '%41',
    '100%': '100%',
    '"a \\"quoted\\" id"': 'a "quoted" id',
    '"': '"',
  }
  for (const [header, id] of Object.entries(ids)) {
    t.is(read({ ...binary, 'ce-id': header }, '')[0]?.id, id)
  }
  // What HTTP does not decode arrives as one character for each byte.
  t.is(read({ ...binary, 'ce-id': Buffer.from('für').toString('latin1') })[0]?.id, 'für')
})

test('names that are no text, too long, or hold control characters are malformed', (t) => {
  for (const id of ['%C0%A0', '%00', '%0A', '%C2%85', '\xff', 'x'.repeat(1_001), '%E2%82%AC'.repeat(334)]) {
    t.is(statusOf({ ...binary, 'ce-id': id }), 400, id)
    t.is(statusOf({ ...binary, 'ce-source': id }), 400, id)
  }
  t.is(statusOf(structured, JSON.stringify(minimal).replace('"1"', '"\\ud800"')), 400)
  t.is(read({ ...binary, 'ce-id': 'x'.repeat(1_000) })[0]?.id.length, 1_000)
})

test('without data an event asks for a run as by default', (t) => {
  const without = [
    read(binary),
    read({ ...binary, ...json }, '  \n'),
    read(structured, minimal),
    read(structured, { ...minimal, data: null }),
    read(structured, { ...minimal, data_base64: '' }),
    read(json, push({ messageId: '1', attributes: { key: 'value' } })),
    read(json, push({ messageId: '1', data: '' })),
    read(json, push({ messageId: '1', data: null })),
  ]
  t.deepEqual(
    without.map(([event]) => event?.request),
    without.map(() => '{}'),
  )
})

test('what is asked for is handed on as it stands', (t) => {
  t.is(read({ ...binary, 'content-type': 'text/plain' }, request)[0]?.request, request)
  t.is(read(structured, { ...minimal, data_base64: base64(request) })[0]?.request, request)
  t.is(
    read(structured, JSON.stringify(minimal).replace('}', ',"data":{"jobs":9007199254740993,"x":1.0}}'))[0]
      ?.request,
    '{"jobs":9007199254740993,"x":1.0}',
  )
  t.is(read(structured, { ...minimal, data: request })[0]?.request, JSON.stringify(request))
  t.is(read(structured, { ...minimal, datacontenttype: 'Application/JSON', data: 'x' })[0]?.request, '"x"')
})

test('what no job takes is no fault of the envelope', (t) => {
  t.is(read(binary, 'not JSON')[0]?.request, 'not JSON')
  t.is(read(binary, Buffer.from([0xff, 0xfe]))[0]?.request, '"bytes that are not UTF-8"')
  t.is(read(binary, '{"message": {}}')[0]?.request, '{"message": {}}')
  t.is(read(binary, 'zero\0byte')[0]?.request, '"zero\\u0000byte"')
  t.is(read(json, push({ messageId: '1', data: base64('not JSON') }))[0]?.request, 'not JSON')
})

// As the documentation of each sender shows it.
const eventarc = {
  headers: {
    ...json,
    'ce-id': '2070443601311540',
    'ce-source': '//pubsub.googleapis.com/projects/p/topics/table-metrics',
    'ce-specversion': '1.0',
    'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished',
    'ce-time': '2021-02-26T19:04:05.679Z',
  },
  body: push({
    attributes: { key: 'value' },
    data: base64(request),
    messageId: '136969346945',
    publishTime: '2021-02-26T19:04:05.679Z',
  }),
}
const pubsub = push({
  attributes: { key: 'value' },
  data: base64(request),
  messageId: '136969346945',
  message_id: '136969346945',
  publishTime: '2021-02-26T19:04:05.679Z',
  publish_time: '2021-02-26T19:04:05.679Z',
})
const unwrapped = {
  'content-type': 'application/octet-stream',
  'x-goog-pubsub-subscription-name': 'projects/p/subscriptions/s',
  'x-goog-pubsub-message-id': '136969346945',
  'x-goog-pubsub-publish-time': '2021-02-26T19:04:05.679Z',
  key: 'value',
}

test('a message of Pub/Sub has the same name, by whichever way it comes', (t) => {
  const ways = {
    'Eventarc, binary': read(eventarc.headers, eventarc.body),
    'Eventarc, structured': read(structured, { ...minimal, data: eventarc.body }),
    'Eventarc without a header that was illegal': read(
      { ...json, 'ce-id': '1', 'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished' },
      eventarc.body,
    ),
    'push, wrapped': read(json, pubsub),
    'push, unwrapped': read(unwrapped, request),
  }
  for (const [way, events] of Object.entries(ways)) t.deepEqual(events, [{ ...pushed, request }], way)
})

test('Cloud Scheduler publishes an empty object, or attributes alone', (t) => {
  const scheduled = { messageId: '136969346945', publishTime: '2021-02-26T19:04:05.679Z' }
  t.deepEqual(read(json, push({ ...scheduled, data: base64('{}') })), [{ ...pushed, request: '{}' }])
  t.deepEqual(read(json, push({ ...scheduled, attributes: { at: 'night' } })), [{ ...pushed, request: '{}' }])
})

test('a push without names, or with data that is no base64, is malformed', (t) => {
  t.is(statusOf(json, push({ data: base64('{}') })), 400)
  t.is(statusOf(json, { subscription: '', message: { messageId: '1' } }), 400)
  t.is(statusOf({ 'x-goog-pubsub-message-id': '1' }, '{}'), 400)
  for (const data of ['e30', 'e3$=', '{}', 7, {}]) t.is(statusOf(json, push({ messageId: '1', data })), 400)
  for (const data_base64 of ['e30', 7]) t.is(statusOf(structured, { ...minimal, data_base64 }), 400)
})

test('what is no event is told from what is a malformed one', (t) => {
  const others: [Headers, string | object][] = [
    [{}, ''],
    [json, '{}'],
    [json, request],
    [json, 'not JSON'],
    [json, { message: 'Hello World!' }],
    [{ 'content-type': 'text/plain' }, pubsub], // a form of another site can send that
    [{}, pubsub],
    [{ 'content-type': 'application/cloudevents+avro' }, ''],
    [{ 'content-type': 'application/cloudevents-batch+protobuf' }, ''],
    [{ 'content-type': 'application/cloudevents+json; charset=utf-16' }, minimal],
  ]
  for (const [headers, body] of others) t.is(statusOf(headers, body), 415, JSON.stringify([headers, body]))
  t.is(statusOf({ ...json, 'ce-id': '1', 'ce-source': 's', 'ce-specversion': '1.0' }, '{}'), 400)
  t.is(statusOf(structured, 'not JSON'), 400)
  t.is(statusOf(structured, Buffer.from([0x22, 0xff, 0x22])), 400)
  t.is(statusOf(structured, '['.repeat(1_000_000)), 400)
  t.is(
    statusOf(
      structured,
      `${JSON.stringify(minimal).slice(0, -1)},"data":${'['.repeat(400_000)}${']'.repeat(400_000)}}`,
    ),
    400,
  )
})
