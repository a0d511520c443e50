import type { Duplex, Readable } from 'node:stream'
import { type Clock, messageOf } from '@ambit/core'
import type { ExecSession } from '../contract.types.ts'
import type { SpdyHeaders } from '../http/spdy.ts'
import { SpdySession } from '../http/spdy.ts'
import type { WebSocketConnection } from '../http/websocket.ts'
import type { JsonObject } from '../json.ts'
import { STREAM_SETUP_TIMEOUT_MS } from '../limits.ts'
import { StatusError } from '../status-error.ts'
import type { StreamOptions } from './stream-options.ts'

/** Channels of v4/v5.channel.k8s.io, a message's first byte. */
const STDIN = 0
const STDOUT = 1
const STDERR = 2
const ERROR = 3
const RESIZE = 4
/** v5 only: names the channel that ends. */
const CLOSE = 255

export type StartSession = (signal: AbortSignal) => Promise<ExecSession>

/** How a session ended, as the client reads it. */
function exitStatus(result: { readonly code: number } | { readonly error: string }): JsonObject {
  if ('error' in result)
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      reason: 'InternalError',
      message: result.error,
      code: 500,
    }
  if (result.code === 0) return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' }
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: exit status ${result.code}`,
    details: { causes: [{ reason: 'ExitCode', message: String(result.code) }] },
  }
}

function failureOf(error: unknown): JsonObject {
  if (error instanceof StatusError) return error.toStatus()
  return exitStatus({ error: messageOf(error) })
}

function resizeFrom(session: ExecSession, text: string): void {
  try {
    const size = JSON.parse(text) as { readonly Width?: unknown; readonly Height?: unknown }
    if (typeof size.Width === 'number' && typeof size.Height === 'number') session.resize(size.Width, size.Height)
  } catch {
    // A size that can't be read changes nothing.
  }
}

function finished(stream: Readable | undefined): Promise<void> {
  if (stream === undefined || stream.readableEnded || stream.destroyed) return Promise.resolve()
  return new Promise((resolve) => stream.once('close', resolve).once('end', resolve).once('error', resolve))
}

/** Runs a session over a WebSocket; resolves when it is over. */
export async function execOverWebSocket(
  socket: WebSocketConnection,
  options: StreamOptions,
  start: StartSession,
): Promise<void> {
  const abort = new AbortController()
  let session: ExecSession | undefined
  const early: Buffer[] = []
  const send = (channel: number, data: Buffer, callback?: () => void): void =>
    socket.send(Buffer.concat([Buffer.from([channel]), data]), callback)
  const onMessage = (message: Buffer): void => {
    if (session === undefined) {
      early.push(message)
      return
    }
    const { stdin } = session
    const data = message.subarray(1)
    if (message[0] === STDIN && stdin !== undefined && stdin.writable) {
      if (!stdin.write(data)) {
        socket.pause()
        stdin.once('drain', () => socket.resume())
        stdin.once('close', () => socket.resume())
      }
    } else if (message[0] === RESIZE) resizeFrom(session, data.toString('utf8'))
    else if (message[0] === CLOSE && data[0] === STDIN) stdin?.end()
  }
  socket.start({ onMessage, onClose: () => abort.abort() })
  try {
    // A peer that broke the protocol at once must not leave a process behind.
    abort.signal.throwIfAborted()
    session = await start(abort.signal)
    session.stdin?.on('error', () => {})
    for (const message of early) onMessage(message)
    if (options.stdin) send(STDIN, Buffer.alloc(0))
    const pump = (stream: Readable | undefined, channel: number, wanted: boolean): Promise<void> => {
      stream?.on('error', () => {})
      stream?.on('data', (data: Buffer) => {
        if (!wanted) return
        stream.pause()
        send(channel, data, () => stream.resume())
      })
      return finished(stream)
    }
    const output = [pump(session.stdout, STDOUT, options.stdout), pump(session.stderr, STDERR, options.stderr)]
    const result = await session.exit
    await Promise.all(output)
    send(ERROR, Buffer.from(JSON.stringify(exitStatus(result))))
  } catch (error) {
    send(ERROR, Buffer.from(JSON.stringify(failureOf(error))))
  } finally {
    socket.close(1000)
  }
}

/** Runs a session over SPDY/3.1 (v4.channel.k8s.io), as kubectl before 1.30 asks for. */
export function execOverSpdy(io: Duplex, clock: Clock, options: StreamOptions, start: StartSession): Promise<void> {
  const over = Promise.withResolvers<void>()
  const abort = new AbortController()
  const wanted = [
    'error',
    ...(options.stdin ? ['stdin'] : []),
    ...(options.stdout ? ['stdout'] : []),
    ...(options.stderr ? ['stderr'] : []),
    ...(options.tty ? ['resize'] : []),
  ]
  const streams = new Map<string, Duplex>()
  const timer = clock.after(STREAM_SETUP_TIMEOUT_MS, () => spdy.end())
  const run = async (): Promise<void> => {
    const error = streams.get('error')
    const status = async (): Promise<JsonObject> => {
      try {
        const session = await start(abort.signal)
        session.stdin?.on('error', () => {})
        const stdin = streams.get('stdin')
        if (stdin !== undefined && session.stdin !== undefined) stdin.pipe(session.stdin)
        streams.get('resize')?.on('data', (data: Buffer) => resizeFrom(session, data.toString('utf8')))
        const pump = (from: Readable | undefined, name: string): Promise<void> => {
          const to = streams.get(name)
          from?.on('error', () => {})
          if (from !== undefined && to !== undefined) from.pipe(to)
          else from?.resume()
          return finished(from)
        }
        const output = [pump(session.stdout, 'stdout'), pump(session.stderr, 'stderr')]
        const result = await session.exit
        await Promise.all(output)
        return exitStatus(result)
      } catch (failure) {
        return failureOf(failure)
      }
    }
    const text = JSON.stringify(await status())
    await Promise.all([...streams].map(([name, stream]) => ended(stream, name === 'error' ? text : undefined)))
    error?.destroy()
    spdy.end()
  }
  const spdy = SpdySession.serve(io, {
    onStream(headers: SpdyHeaders, stream) {
      const type = headers['streamtype'] ?? ''
      if (!wanted.includes(type) || streams.has(type)) {
        stream.destroy(new Error('unexpected stream'))
        return
      }
      streams.set(type, stream)
      if (wanted.some((name) => !streams.has(name))) return
      timer[Symbol.dispose]()
      void run()
    },
    onEnd() {
      timer[Symbol.dispose]()
      abort.abort()
      over.resolve()
    },
  })
  return over.promise
}

/** Ends the writing half of a stream, after a last text. */
function ended(stream: Duplex, text: string | undefined): Promise<void> {
  if (stream.destroyed || stream.writableFinished) return Promise.resolve()
  return new Promise((resolve) => {
    stream.once('close', resolve)
    if (text === undefined) stream.end(() => resolve())
    else stream.end(text, () => resolve())
  })
}
