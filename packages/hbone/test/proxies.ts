import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { type Socket } from 'node:net'
import { ip, type SocketAddress, type SpiffeId, silentLogger, systemClock } from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import { clientFd, listenerFd } from '@ambit/linux'
import {
  type Engine,
  HbonePool,
  HboneServer,
  type Reactor,
  type ReactorConnection,
  type ReactorCopy,
  type ReactorHboneRequest,
  ReactorPool,
  ReactorServer,
  type SpliceResult,
  splice,
  type TlsFacts,
} from '../src/index.ts'
import { dial, listen } from './mesh.ts'

/** One way of being a proxy: an engine over streams of Node, or a reactor. */
export type Means = { readonly engine: Engine } | ReactorMeans

export interface ReactorMeans {
  readonly reactor: Reactor
  /** Whether opening, connecting and copying are told one after the other, not as one command. */
  readonly steps?: boolean
}

export const LOOPBACK: SocketAddress = { ip: ip('127.0.0.1'), port: 0 }
const TIMEOUT_MS = 10_000

export interface Asked {
  readonly method: string
  readonly authority: string | undefined
  readonly isPlainConnect: boolean
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly identity: SpiffeId
  readonly tls: TlsFacts
}

/** What a server does with a request: where the application is, or a status. */
export type Decide = (asked: Asked) => SocketAddress | number

export interface ServerProxy extends AsyncDisposable {
  readonly address: SocketAddress
  readonly asked: Asked[]
  readonly results: SpliceResult[]
  /** Why peers were refused. */
  readonly refused: string[]
  connectionCount(): number
  drain(): Promise<void>
  close(): Promise<void>
}

export interface ClientProxy extends AsyncDisposable {
  /** Where applications connect to. */
  readonly address: SocketAddress
  readonly results: SpliceResult[]
  readonly failures: Error[]
  readonly tls: TlsFacts[]
  readonly connectionCount: () => number
  headers: Readonly<Record<string, string>>
  authority: string
}

export async function serverProxy(
  means: Means,
  certificate: WorkloadCertificate,
  decide: Decide,
): Promise<ServerProxy> {
  return 'engine' in means
    ? await engineServer(means.engine, certificate, decide)
    : reactorServer(means, certificate, decide)
}

export async function clientProxy(
  means: Means,
  certificate: WorkloadCertificate,
  to: SocketAddress,
  expected: SpiffeId,
): Promise<ClientProxy> {
  return 'engine' in means
    ? await engineClient(means.engine, certificate, to, expected)
    : reactorClient(means, certificate, to, expected)
}

export function listenWith(reactor: Reactor, onConnection: (connection: ReactorConnection) => void, reusePort = false) {
  const fd = listenerFd(undefined, LOOPBACK, { reusePort })
  const listening = reactor.listen(fd, onConnection)
  return { fd, listening }
}

async function engineServer(engine: Engine, certificate: WorkloadCertificate, decide: Decide): Promise<ServerProxy> {
  const asked: Asked[] = []
  const results: SpliceResult[] = []
  const refused: string[] = []
  const hbone = new HboneServer({
    certificate: () => certificate,
    onRequest: async (request) => {
      const { method, authority, isPlainConnect, headers } = request
      const what = { method, authority, isPlainConnect, headers, identity: request.peer.identity, tls: request.tls }
      asked.push(what)
      const decision = decide(what)
      if (typeof decision === 'number') request.reject(decision)
      else {
        const app = await dial(decision, true)
        app.on('error', () => undefined)
        results.push(await splice(request.accept({ baggage: 'service.name=b' }), app))
      }
    },
    onTlsError: (error) => refused.push(error.message),
    clock: systemClock,
    logger: silentLogger,
    engine,
  })
  const { server, address } = await listen((socket) => hbone.accept(socket), false)
  return {
    address,
    asked,
    results,
    refused,
    connectionCount: () => hbone.connectionCount,
    drain: () => hbone.drain(60_000),
    close: () => hbone.close(),
    async [Symbol.asyncDispose]() {
      server.close()
      await hbone.close()
    },
  }
}

async function engineClient(
  engine: Engine,
  certificate: WorkloadCertificate,
  to: SocketAddress,
  expected: SpiffeId,
): Promise<ClientProxy> {
  const pool = new HbonePool({
    dial: (address) => dial(address),
    certificate: () => Promise.resolve(certificate),
    clock: systemClock,
    logger: silentLogger,
    engine,
  })
  const results: SpliceResult[] = []
  const failures: Error[] = []
  const tls: TlsFacts[] = []
  const { server, address } = await listen((socket: Socket) => {
    socket.on('error', () => undefined)
    pool
      .open({
        source: certificate.identity,
        sourceIp: LOOPBACK.ip,
        to,
        expected: [expected],
        authority: proxy.authority,
        headers: proxy.headers,
      })
      .then(async (tunnel) => {
        tls.push(tunnel.tls)
        results.push(await splice(socket, tunnel.stream))
      })
      .catch((error: Error) => {
        failures.push(error)
        socket.resetAndDestroy()
      })
  }, true)
  const proxy: ClientProxy = {
    address,
    results,
    failures,
    tls,
    headers: {},
    authority: '10.0.0.1:80',
    connectionCount: () => pool.connectionCount,
    async [Symbol.asyncDispose]() {
      server.close()
      await pool.close()
    },
  }
  return proxy
}

export async function portOf(fd: number): Promise<SocketAddress> {
  const { EventLoop, ReactorSocket, duplicate } = await import('@ambit/linux')
  using loop = new EventLoop()
  const socket = new ReactorSocket(loop, duplicate.of(fd), { ready: () => undefined })
  const address = socket.local()
  socket.close()
  if (address === undefined) throw new TypeError('not bound')
  return address
}

async function reactorServer(
  { reactor, steps = false }: ReactorMeans,
  certificate: WorkloadCertificate,
  decide: Decide,
): Promise<ServerProxy> {
  const asked: Asked[] = []
  const results: SpliceResult[] = []
  const refused: string[] = []
  const headers = { baggage: 'service.name=b' }
  const copyOf = async (request: ReactorHboneRequest, to: SocketAddress): Promise<ReactorCopy> => {
    const fd = clientFd(undefined, to.ip, {})
    const options = { to, timeoutMs: TIMEOUT_MS }
    if (!steps) return (await request.acceptAndConnect(fd, { ...options, headers })).copy
    const app = await reactor.connect(fd, options)
    return reactor.copy(request.accept(headers), app)
  }
  const hbone = new ReactorServer({
    reactor,
    certificate: () => certificate,
    onRequest: async (request) => {
      const { method, authority, isPlainConnect } = request
      const { identity } = request.peer
      const what = { method, authority, isPlainConnect, headers: request.headers, identity, tls: request.tls }
      asked.push(what)
      const decision = decide(what)
      if (typeof decision === 'number') {
        request.reject(decision)
        return
      }
      try {
        results.push(await (await copyOf(request, decision)).over)
      } catch {
        request.reject(503)
      }
    },
    onTlsError: (error) => refused.push(error.message),
    clock: systemClock,
    logger: silentLogger,
  })
  const { fd, listening } = listenWith(reactor, (connection) => hbone.accept(connection))
  return {
    address: await portOf(fd),
    asked,
    results,
    refused,
    connectionCount: () => hbone.connectionCount,
    drain: () => hbone.drain(60_000),
    close: () => hbone.close(),
    async [Symbol.asyncDispose]() {
      listening[Symbol.dispose]()
      await hbone.close()
    },
  }
}

async function reactorClient(
  { reactor, steps = false }: ReactorMeans,
  certificate: WorkloadCertificate,
  to: SocketAddress,
  expected: SpiffeId,
): Promise<ClientProxy> {
  const results: SpliceResult[] = []
  const failures: Error[] = []
  const tls: TlsFacts[] = []
  const pool = new ReactorPool({
    reactor,
    certificate: () => Promise.resolve(certificate),
    clock: systemClock,
    logger: silentLogger,
  })
  const open = async (connection: ReactorConnection): Promise<void> => {
    const request = {
      source: certificate.identity,
      sourceIp: LOOPBACK.ip,
      to,
      expected: [expected],
      authority: proxy.authority,
      headers: proxy.headers,
    }
    if (steps) {
      const tunnel = await pool.open(request)
      tls.push(tunnel.tls)
      results.push(await reactor.copy(connection, tunnel.stream).over)
    } else {
      const tunnel = await pool.openAndCopy(request, connection)
      tls.push(tunnel.tls)
      results.push(await tunnel.copy.over)
    }
  }
  const { fd, listening } = listenWith(reactor, (connection) => {
    open(connection).catch((error: Error) => {
      failures.push(error)
      connection.cut()
    })
  })
  const proxy: ClientProxy = {
    address: await portOf(fd),
    results,
    failures,
    tls,
    headers: {},
    authority: '10.0.0.1:80',
    connectionCount: () => pool.connectionCount,
    async [Symbol.asyncDispose]() {
      listening[Symbol.dispose]()
      await pool.close()
    },
  }
  return proxy
}

/** Where nobody listens. The port is held meanwhile: one that is free is given to the listener of another test. */
export async function unserved(): Promise<{ readonly address: SocketAddress; [Symbol.dispose](): void }> {
  const fd = listenerFd(undefined, LOOPBACK, {})
  const address = await portOf(fd)
  return { address, [Symbol.dispose]: () => closeSync(fd) }
}

/** Where a connection is neither made nor refused: the one place of the listener's backlog is taken, and the kernel drops further ones. */
export async function unanswering(): Promise<{ readonly address: SocketAddress; [Symbol.dispose](): void }> {
  const { EventLoop } = await import('@ambit/linux')
  const fd = listenerFd(undefined, LOOPBACK, {})
  using loop = new EventLoop()
  loop.native.calls.listen(fd, 0)
  const address = await portOf(fd)
  const taking = await dial(address)
  return {
    address,
    [Symbol.dispose]() {
      taking.on('error', () => undefined).destroy()
      closeSync(fd)
    },
  }
}

/** An application that does something with each of its connections. */
export async function application(onConnection: (socket: Socket) => void) {
  const { server, address } = await listen((socket) => {
    socket.on('error', () => undefined)
    onConnection(socket)
  }, true)
  return {
    address,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}
