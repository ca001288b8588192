import type { Socket } from 'node:net'
import { Problem } from './problem.ts'

const reasons: Record<string, [status: number, detail: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request took too long to arrive, expected it within 30 s'],
  HPE_HEADER_OVERFLOW: [431, 'saw more than 16 KiB of headers, expected less'],
}

/** Answers what is no request, and closes the connection. */
export function refuseMalformed(error: Error & { code?: string }, socket: Socket): void {
  // What a client takes for an answer to an earlier request must not be this one.
  if (!socket.writable || socket.bytesWritten > 0) {
    socket.destroy()
    return
  }
  const [status, detail] = reasons[error.code ?? ''] ?? [400, 'saw no HTTP, expected a request of HTTP/1.1']
  const problem = new Problem(status, detail).toJSON()
  const body = JSON.stringify(problem)
  socket.end(
    `HTTP/1.1 ${status} ${problem.title}\r\nConnection: close\r\nCache-Control: no-store\r\n` +
      `Content-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}
