import { Duplex } from 'node:stream'
import { messageOf } from '@ambit/core'
import { SpdySession } from '../http/spdy.ts'
import type { WebSocketConnection } from '../http/websocket.ts'
import { parsePort } from './stream-options.ts'

export type OpenPort = (port: number, signal: AbortSignal) => Promise<Duplex>

/** Port-forward over SPDY: each connection is an error stream and a data stream with the same request id. */
export function forwardOverSpdy(io: Duplex, open: OpenPort): Promise<void> {
  const over = Promise.withResolvers<void>()
  const abort = new AbortController()
  const errors = new Map<string, Duplex>()
  SpdySession.serve(io, {
    onStream(headers, stream) {
      const id = headers['requestid'] ?? ''
      if (headers['streamtype'] === 'error') {
        errors.set(id, stream)
        stream.on('close', () => errors.delete(id))
        stream.resume()
        return
      }
      void connect(stream, headers['port'], open, abort.signal).then((problem) => {
        const error = errors.get(id)
        errors.delete(id)
        error?.end(problem)
      })
    },
    onEnd() {
      abort.abort()
      over.resolve()
    },
  })
  return over.promise
}

/** Joins a stream with the port; the text of what went wrong, if something did. */
async function connect(
  stream: Duplex,
  port: string | undefined,
  open: OpenPort,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const upstream = await open(parsePort(port), signal)
    const done = Promise.withResolvers<string | undefined>()
    upstream.on('error', (error) => {
      done.resolve(`connection to port ${port} broke: ${error.message}`)
      stream.destroy()
    })
    stream.on('error', () => upstream.destroy())
    stream.on('close', () => upstream.destroy())
    upstream.on('close', () => {
      if (!stream.writableEnded) stream.end()
      done.resolve(undefined)
    })
    stream.pipe(upstream)
    upstream.pipe(stream)
    return await done.promise
  } catch (error) {
    stream.end()
    return `an error occurred forwarding port ${port}: ${messageOf(error)}`
  }
}

/** SPDY tunnelled in a WebSocket's binary messages. */
export function tunnelOver(socket: WebSocketConnection): Duplex {
  const tunnel = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, callback) => socket.send(chunk, () => callback()),
    final: (callback) => {
      socket.close(1000)
      callback()
    },
    destroy: (error, callback) => {
      socket.close(1000)
      callback(error)
    },
  })
  socket.start({
    onMessage: (message) => {
      if (!tunnel.push(message)) socket.pause()
    },
    onClose: () => tunnel.push(null),
  })
  return tunnel
}

/** Port-forward with a pair of channels a port, as client libraries ask for (v4/v5.channel.k8s.io). */
export async function forwardOverChannels(
  socket: WebSocketConnection,
  ports: readonly number[],
  open: OpenPort,
): Promise<void> {
  const abort = new AbortController()
  const over = Promise.withResolvers<void>()
  const upstreams = new Map<number, Duplex>()
  const early = new Map<number, Buffer[]>()
  const send = (channel: number, data: Buffer, callback?: () => void): void =>
    socket.send(Buffer.concat([Buffer.from([channel]), data]), callback)
  socket.start({
    onMessage(message) {
      const channel = message[0] ?? 0
      const upstream = upstreams.get(channel)
      if (upstream !== undefined) {
        if (!upstream.write(message.subarray(1))) {
          socket.pause()
          upstream.once('drain', () => socket.resume())
          upstream.once('close', () => socket.resume())
        }
      } else early.get(channel)?.push(message.subarray(1))
    },
    onClose() {
      abort.abort()
      for (const upstream of upstreams.values()) upstream.destroy()
      over.resolve()
    },
  })
  let left = ports.length
  await Promise.all(
    ports.map(async (port, index) => {
      const channel = index * 2
      early.set(channel, [])
      const announcement = Buffer.alloc(2)
      announcement.writeUInt16LE(port)
      send(channel, announcement)
      send(channel + 1, announcement)
      try {
        const upstream = await open(port, abort.signal)
        upstreams.set(channel, upstream)
        for (const data of early.get(channel) ?? []) upstream.write(data)
        upstream.on('data', (data: Buffer) => {
          upstream.pause()
          send(channel, data, () => upstream.resume())
        })
        upstream.on('error', (error) => send(channel + 1, Buffer.from(error.message)))
        upstream.on('close', () => {
          if (--left === 0) socket.close(1000)
        })
      } catch (error) {
        send(channel + 1, Buffer.from(messageOf(error)))
        if (--left === 0) socket.close(1000)
      }
    }),
  )
  await over.promise
}
