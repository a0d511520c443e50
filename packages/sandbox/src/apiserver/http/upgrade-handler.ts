import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '@ambit/core'
import type { PodRuntime } from '../contract.types.ts'
import { MAX_STREAM_SESSIONS } from '../limits.ts'
import { badRequest, StatusError } from '../status-error.ts'
import { execOverSpdy, execOverWebSocket, type StartSession } from '../subresources/exec-stream.ts'
import { forwardOverChannels, forwardOverSpdy, type OpenPort, tunnelOver } from '../subresources/port-forward.ts'
import { portsOf, streamOptions } from '../subresources/stream-options.ts'
import type { RequestInfo } from './request-info.ts'
import { WebSocketConnection } from './websocket.ts'

const TUNNEL = 'SPDY/3.1+portforward.k8s.io'
const CHANNELS = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io']

/** Turns upgraded connections into exec, attach and port-forward sessions. */
export class UpgradeHandler {
  readonly #runtime: PodRuntime
  readonly #clock: Clock
  #sessions = 0

  constructor(runtime: PodRuntime, clock: Clock) {
    this.#runtime = runtime
    this.#clock = clock
  }

  /** Throws a StatusError for what can't be served, before anything is answered. */
  async handle(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    info: RequestInfo,
    query: URLSearchParams,
  ): Promise<void> {
    if (this.#sessions >= MAX_STREAM_SESSIONS)
      throw new StatusError(
        429,
        'TooManyRequests',
        `the sandbox serves ${MAX_STREAM_SESSIONS} exec and port-forward sessions at a time`,
      )
    const run = this.#prepare(request, socket, head, info, query)
    this.#sessions++
    try {
      await run()
    } finally {
      this.#sessions--
    }
  }

  #prepare(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    info: RequestInfo,
    query: URLSearchParams,
  ): () => Promise<void> {
    const target = { namespace: info.namespace, pod: info.name }
    const upgrade = request.headers.upgrade?.toLowerCase() ?? ''
    if (info.subresource === 'portforward') {
      const open: OpenPort = (port, signal) => this.#runtime.portForward({ ...target, port, signal })
      if (upgrade === 'spdy/3.1') return () => forwardOverSpdy(acceptSpdy(socket, head, 'portforward.k8s.io'), open)
      const protocol = chooseProtocol(request, [TUNNEL, ...CHANNELS])
      const ports = protocol === TUNNEL ? [] : portsOf(query)
      return () => {
        const connection = new WebSocketConnection(request, socket, head, protocol)
        return protocol === TUNNEL
          ? forwardOverSpdy(tunnelOver(connection), open)
          : forwardOverChannels(connection, ports, open)
      }
    }
    const isExec = info.subresource === 'exec'
    const options = streamOptions(query, isExec)
    const start = this.#starter(isExec, target, options)
    if (upgrade === 'spdy/3.1') {
      const offered = request.headersDistinct['x-stream-protocol-version'] ?? []
      if (!offered.some((item) => item.split(',').some((name) => name.trim() === 'v4.channel.k8s.io')))
        throw new StatusError(403, 'Forbidden', 'only v4.channel.k8s.io is served over SPDY')
      return () => execOverSpdy(acceptSpdy(socket, head, 'v4.channel.k8s.io'), this.#clock, options, start)
    }
    const protocol = chooseProtocol(request, CHANNELS)
    return () => execOverWebSocket(new WebSocketConnection(request, socket, head, protocol), options, start)
  }

  #starter(
    isExec: boolean,
    target: { namespace: string; pod: string },
    options: ReturnType<typeof streamOptions>,
  ): StartSession {
    const { container, command, tty, stdin } = options
    if (isExec) return (signal) => this.#runtime.exec({ ...target, container, command, tty, stdin, signal })
    const runtime = this.#runtime
    if (runtime.attach === undefined)
      throw new StatusError(501, 'NotImplemented', 'the sandbox does not serve attach: use exec or logs')
    return (signal) => {
      if (runtime.attach === undefined)
        return Promise.reject(new StatusError(501, 'NotImplemented', 'attach is not served'))
      return runtime.attach({ ...target, container, tty, stdin, signal })
    }
  }
}

function chooseProtocol(request: IncomingMessage, known: readonly string[]): string {
  if (request.headers.upgrade?.toLowerCase() !== 'websocket') throw badRequest('Upgrade request required')
  if (!request.headers['sec-websocket-key'] || request.headers['sec-websocket-version'] !== '13')
    throw badRequest('not a WebSocket handshake of version 13')
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  const protocol = known.find((name) => offered.includes(name))
  if (protocol === undefined)
    throw badRequest(`none of the protocols ${offered.join(', ').slice(0, 200)} is served: ${known.join(', ')}`)
  return protocol
}

function acceptSpdy(socket: Duplex, head: Buffer, protocol: string): Duplex {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  )
  if (head.length > 0) socket.unshift(head)
  return socket
}
