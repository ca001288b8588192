import type { Schema } from '../questions/schemas.ts'

const text = { type: 'string' }
const object = (properties: Record<string, Schema>, required: string[]): Schema => ({
  type: 'object',
  properties,
  required,
})

const data: Schema = {
  description: 'The request of the run: {} or nothing for every table.',
  type: ['object', 'null'],
  properties: {
    skipSchemas: { type: 'array', items: text },
    exclude: { type: 'array', items: text, description: 'Tables, such as public.orders.' },
    online: { type: 'boolean' },
    jobs: { type: 'integer', minimum: 1, maximum: 32 },
    deadline: { type: 'string', description: 'Such as 30m.' },
  },
}
const event = object(
  { specversion: { const: '1.0' }, type: text, source: text, id: text, data, data_base64: text },
  ['specversion', 'type', 'source', 'id'],
)
const push = object(
  {
    subscription: text,
    message: object({ messageId: text, data: { ...text, description: 'The request, in base64.' } }, [
      'messageId',
    ]),
  },
  ['subscription', 'message'],
)
const header = (name: string, description: string) => ({ in: 'header', name, description, schema: text })
const problem = { $ref: '#/components/responses/Problem' }

/** What is posted and what is answered, for OpenAPI. */
export const eventOperation = {
  parameters: [
    ...['specversion', 'type', 'source', 'id'].map((name) =>
      header(`ce-${name}`, `In binary mode, the ${name} of the CloudEvent.`),
    ),
    ...['subscription-name', 'message-id'].map((name) =>
      header(`x-goog-pubsub-${name}`, 'Of a push of Pub/Sub that is not wrapped.'),
    ),
  ],
  requestBody: {
    content: {
      'application/cloudevents+json': { schema: event },
      'application/cloudevents-batch+json': { schema: { type: 'array', items: event, maxItems: 100 } },
      'application/json': { schema: { anyOf: [push, data] } },
    },
  },
  security: [{ bearer: [] }, { basic: [] }],
  responses: {
    202: {
      description: 'Runs are queued.',
      content: {
        'application/json': {
          schema: object({ queued: { type: 'integer', description: 'How many of the events were new.' } }, [
            'queued',
          ]),
        },
      },
    },
    204: { description: 'Nothing is queued: all of it came before.' },
    ...Object.fromEntries([400, 401, 403, 413, 415, 429, 503].map((status) => [status, problem])),
    default: problem,
  },
}
