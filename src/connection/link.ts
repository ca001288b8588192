import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Address } from './address.ts'

/** A connection to a server that has answered for the first time. */
export interface Opened {
  socket: Socket
  /** What it has answered. */
  answer: Buffer
}

/** Opens a connection with its first message: that of a session, or of a request to cancel one. */
export type Open = (greeting: Buffer, signal: AbortSignal) => Promise<Opened>

/** The way to the server for the links of one library. */
export interface Opener {
  open: Open
  /** Where the last link went, or goes. */
  address(): Address
}

/** A link that is among these for as long as it is open. */
export function openLink(open: Open, to: { host: string; port: number }, links: Set<Link>): Link {
  const link = new Link(open, to)
  links.add(link)
  return link.once('close', () => links.delete(link))
}

/**
 * A connection, for libraries that want a socket. To them it is connected at once; a server is looked for when
 * they send the first message, which says whether it is for a session or to cancel one.
 */
export class Link extends Duplex {
  /** For the messages of `postgres`. */
  readonly host: string
  readonly port: number
  readonly #open: Open
  readonly #end = new AbortController()
  #greeting = Buffer.alloc(0)
  #socket: Socket | undefined

  constructor(open: Open, { host, port }: { host: string; port: number }) {
    super({ allowHalfOpen: false })
    this.host = host
    this.port = port
    this.#open = open
  }

  /** For `pg`. */
  connect(): this {
    process.nextTick(() => this.emit('connect'))
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    this.#socket?.ref()
    return this
  }

  unref(): this {
    this.#socket?.unref()
    return this
  }

  get readyState(): 'opening' | 'open' | 'closed' {
    return this.destroyed ? 'closed' : this.#socket ? 'open' : 'opening'
  }

  /** Cuts what has not become a session yet. */
  giveUp(): void {
    if (!this.#socket) this.destroy()
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    // Of a socket, close says whether there was an error.
    return super.emit(event, ...(event === 'close' ? [this.errored !== null] : args))
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#socket) {
      this.#socket.write(chunk, done)
      return
    }
    this.#greeting = Buffer.concat([this.#greeting, chunk])
    if (this.#greeting.length < 4 || this.#greeting.length < this.#greeting.readInt32BE()) {
      done()
      return
    }
    this.#open(this.#greeting, this.#end.signal).then((opened) => {
      this.#attach(opened)
      done()
    }, done)
  }

  #attach({ socket, answer }: Opened): void {
    if (this.destroyed) {
      socket.destroy()
      return
    }
    this.#socket = socket
    let hasEnded = false
    socket.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause()
    })
    socket.on('error', (error) => this.destroy(error))
    socket.on('end', () => {
      hasEnded = true
      this.push(null)
    })
    socket.on('close', () => {
      if (!hasEnded) this.destroy()
    })
    if (answer.length > 0) this.push(answer)
    socket.resume()
  }

  override _read(): void {
    this.#socket?.resume()
  }

  override _final(done: () => void): void {
    if (this.#socket) this.#socket.end(() => done())
    else {
      done()
      this.destroy()
    }
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#end.abort()
    this.#socket?.destroy()
    done(error)
  }
}
