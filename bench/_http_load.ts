import { connect } from 'node:net'

export interface Load {
  port: number
  path: string
  headers?: Record<string, string>
  /** Connections that are kept alive, each with one request at a time. */
  connections: number
  /** Ends after so many milliseconds, or so many requests. */
  milliseconds?: number
  requests?: number
}

/** Asks again and again. Has how long each request took, in milliseconds; throws unless all have this status. */
export async function load(
  { port, path, headers = {}, connections, milliseconds = Infinity, requests = Infinity }: Load,
  status: number,
): Promise<number[]> {
  const end = performance.now() + milliseconds
  const took: number[] = []
  let begun = 0
  const request = [
    `GET ${path} HTTP/1.1`,
    'Host: localhost',
    ...Object.entries(headers).map((pair) => pair.join(': ')),
  ]
    .join('\r\n')
    .concat('\r\n\r\n')

  const connection = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      let begin = 0
      let missing = 0
      let head = ''
      const ask = () => {
        if (begun >= requests || performance.now() >= end) {
          socket.destroy()
          resolve()
          return
        }
        begun++
        begin = performance.now()
        head = ''
        missing = -1
        socket.write(request)
      }
      socket.on('data', (chunk) => {
        if (missing < 0) {
          head += chunk.toString('latin1')
          const at = head.indexOf('\r\n\r\n')
          if (at < 0) return
          const seen = Number(head.slice(9, 12))
          if (seen !== status) return reject(new Error(`${path}: saw ${seen}, expected ${status}`))
          const length = Number(/\r\ncontent-length: (\d+)/i.exec(head.slice(0, at))?.[1] ?? 0)
          missing = length - (head.length - at - 4)
        } else missing -= chunk.length
        if (missing > 0) return
        took.push(performance.now() - begin)
        ask()
      })
      socket.on('connect', ask).on('error', reject)
    })

  await Promise.all(Array.from({ length: connections }, connection))
  return took
}
