// What a service costs that passes the same SQL through: no checks, no entity tags, no cancelling. PLAIN has all of it.
import { createServer } from 'node:http'
import postgres from 'postgres'
import { compress, encodingFor } from '../src/serve/compression.ts'

const { url, size, statements } = JSON.parse(process.env.PLAIN ?? '') as {
  url: string
  size: number
  statements: Record<string, string>
}
const sql = postgres(url, { max: size, prepare: false, fetch_types: false, onnotice: () => undefined })

const server = createServer(async (request, response) => {
  const statement = statements[request.url ?? '']
  if (!statement) {
    response.writeHead(404).end()
    return
  }
  const results = (await sql.unsafe(statement)) as unknown as [{ json: string }][]
  const text = results.at(-1)?.[0].json ?? ''
  const encoding = encodingFor(String(request.headers['accept-encoding'] ?? ''), text.length)
  const body = encoding ? await compress[encoding](text) : Buffer.from(text)
  response
    .writeHead(200, {
      'content-type': 'application/json',
      'content-length': body.length,
      ...(encoding && { 'content-encoding': encoding }),
    })
    .end(body)
})
server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => {
  console.error(`url: http://127.0.0.1:${(server.address() as { port: number }).port})`)
})
process.on('SIGTERM', () => process.exit(0))
