import type { FastifyReply, FastifyRequest } from 'fastify'
import { sendText } from '../answer.ts'
import type { Document } from './page.ts'

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

/** Sends a page, which may load and run what this service has and nothing else. */
export async function sendDocument(
  request: FastifyRequest,
  reply: FastifyReply,
  { status = 200, text }: Document,
): Promise<FastifyReply> {
  if (status !== 200) return sendFailure(reply.code(status).header('cache-control', 'no-store'), text)
  return sendText(request, reply.header('content-security-policy', policy), text, { type: html })
}

/** Sends the page of a problem, whose status and headers are set. */
export function sendFailure(reply: FastifyReply, text: string): FastifyReply {
  return reply.header('content-security-policy', policy).type(html).send(text)
}

const html = 'text/html; charset=utf-8'

/** True for a browser that opens an address: whatever else it takes, it asks for HTML by name. */
export function asksForPage({ headers }: FastifyRequest): boolean {
  return /\btext\/html\b/i.test(headers.accept ?? '')
}
