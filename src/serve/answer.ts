import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { compress, encodingFor } from './compression.ts'

/** The type of an answer in JSON. */
export const json = 'application/json; charset=utf-8'

/** What goes with an answer. */
export interface AnswerOptions {
  type: string
  /** Names this version of the answer; made of the answer itself unless given. */
  tag?: string
  cacheControl?: string
}

/** Sends a text: compressed where the client takes that, and not at all when the client has it already. */
export async function sendText(
  request: FastifyRequest,
  reply: FastifyReply,
  text: string,
  { type, tag = digest(text), cacheControl = 'private, no-cache' }: AnswerOptions,
): Promise<FastifyReply> {
  reply.header('cache-control', cacheControl)
  const known = knownTag(request, tag)
  if (known) return sendNotModified(reply, known)
  const accepted = request.headers['accept-encoding']
  const encoding = encodingFor(accepted && String(accepted), text.length)
  reply.type(type).header('etag', encoding ? `"${tag}.${encoding}"` : `"${tag}"`)
  if (!encoding) return reply.send(text)
  return reply.header('content-encoding', encoding).send(await compress[encoding](text))
}

/**
 * The entity tag of this version by which the client has it, if it does. RFC 9110: compared weakly, in a list that may
 * be *.
 *
 * @param tag without quotes, and without the encoding that goes behind it
 */
export function knownTag({ headers }: FastifyRequest, tag: string): string | undefined {
  const known = headers['if-none-match']
  if (known === undefined) return
  if (known.trim() === '*') return `"${tag}"`
  const tags = known.split(',').map((each) => each.trim().replace(/^W\//, ''))
  return tags.find((each) => each.replace(/\.(br|gzip)"$/, '"') === `"${tag}"`)
}

/** Answers that the client has it. */
export function sendNotModified(reply: FastifyReply, etag: string): FastifyReply {
  return reply.header('etag', etag).code(304).send()
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}
