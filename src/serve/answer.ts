import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { negotiate } from '@fastify/accept-negotiator'
import type { FastifyReply, FastifyRequest } from 'fastify'

const compress = {
  br: (text: string) => promisify(brotliCompress)(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  gzip: (text: string) => promisify(gzip)(text),
}

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
  if (isKnown(request, tag)) return sendNotModified(reply, tag)
  const encoding = text.length > 1_000 ? encodingFor(request) : undefined
  addTag(reply, tag, encoding).type(type)
  if (!encoding) return reply.send(text)
  return reply.header('content-encoding', encoding).send(await compress[encoding](text))
}

/** True when the client has this version. RFC 9110: compared weakly, in a list that may be *. */
export function isKnown({ headers }: FastifyRequest, tag: string): boolean {
  const known = headers['if-none-match']
  if (known === undefined) return false
  const tags = known.split(',').map((each) => each.trim().replace(/^W\//, ''))
  return tags.some((each) => each === '*' || each.replace(/\.(br|gzip)"$/, '"') === `"${tag}"`)
}

/** Answers that the client has it. */
export function sendNotModified(reply: FastifyReply, tag: string): FastifyReply {
  return addTag(reply, tag).code(304).send()
}

function addTag(reply: FastifyReply, tag: string, encoding?: string): FastifyReply {
  return reply
    .header('etag', encoding ? `"${tag}.${encoding}"` : `"${tag}"`)
    .header('vary', 'Authorization, Accept, Accept-Encoding')
}

function encodingFor({ headers }: FastifyRequest): 'br' | 'gzip' | undefined {
  const accepted = headers['accept-encoding']
  if (!accepted) return
  return (negotiate(String(accepted), ['br', 'gzip']) as 'br' | 'gzip' | null) ?? undefined
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}
