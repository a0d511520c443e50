// Users and the application of a churn, in a process of their own: `node users.ts SEED`, told what to do by messages.
import { connect, createServer, type Socket } from 'node:net'
import { numbers } from './numbers.ts'

export interface Order {
  readonly port: number
  readonly count: number
  /** Users at a time. */
  readonly atOnce: number
}

export interface Done {
  /** Connections that were made. */
  readonly opened: number
}

const next = numbers(Number(process.argv[2] ?? 1))
const PAYLOAD = Buffer.alloc(200_000, 'x')

let opened = 0

const app = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => undefined)
  const fate = next(10)
  if (fate === 0) socket.resetAndDestroy()
  else if (fate === 1) socket.resume().end('short')
  else if (fate === 2) {
    // Who has seen the end reads no more, and would never learn of a reset.
    socket.once('end', () => socket.end())
    socket.once('data', () => socket.resetAndDestroy())
  } else if (fate === 3) {
    // Takes nothing for a while; a socket that is not read never learns of its end.
    setTimeout(() => socket.resume().end(), 100)
  } else socket.pipe(socket)
})
app.listen(0, '127.0.0.1', () => {
  const address = app.address()
  process.send?.(typeof address === 'object' ? address?.port : undefined)
})

/** One connection that ends by itself or is left to the proxies; resolves when it is gone. */
function user(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
    socket.on('error', () => undefined)
    socket.once('connect', () => opened++)
    socket.once('close', () => resolve())
    socket.once('end', () => socket.destroySoon())
    socket.resume()
    const fate = next(8)
    if (fate === 0) socket.once('connect', () => socket.resetAndDestroy())
    else if (fate === 1) socket.once('connect', () => setImmediate(() => socket.destroy()))
    else {
      if (next(2) === 0) socket.write(PAYLOAD.subarray(0, 1 + next(next(20) === 0 ? PAYLOAD.length : 2000)))
      if (fate === 2) socket.end()
      else if (fate === 3) socket.once('data', () => socket.resetAndDestroy())
      else if (fate === 4) setTimeout(() => socket.resetAndDestroy(), next(20))
      else if (fate === 5) setTimeout(() => socket.end(), next(20))
      // Some stay until the proxies end them, and give up in the end.
      else setTimeout(() => socket.destroy(), 20 + next(100))
    }
  })
}

async function obey({ port, count, atOnce }: Order): Promise<void> {
  opened = 0
  const one = async (): Promise<void> => {
    while (opened < count) await user(port)
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  process.send?.({ opened } satisfies Done)
}

process.on('message', (order: Order) => void obey(order))
process.on('disconnect', () => process.exit())
