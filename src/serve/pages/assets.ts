import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import { sendText } from '../answer.ts'

const folder = new URL('../../../assets/', import.meta.url)

const types = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'chart.css': 'text/css; charset=utf-8',
  'chart.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
}

/** What every page loads: these files and no others, open to everybody as they tell nothing. */
export async function assets(app: FastifyInstance): Promise<void> {
  const paths = Object.keys(types).map((name) => [`/assets/${name}`, name] as const)
  for (const [path, name] of [...paths, ['/favicon.ico', 'icon.svg'] as const]) {
    const text = await readFile(new URL(name, folder), 'utf8')
    app.get(path, {
      config: { isOpen: true },
      schema: { hide: true },
      handler: (request, reply) =>
        sendText(request, reply, text, {
          type: types[name as keyof typeof types],
          // A browser asks for the icon again at each change of the address.
          cacheControl: name === 'icon.svg' ? 'public, max-age=86400' : 'public, no-cache',
        }),
    })
  }
}
