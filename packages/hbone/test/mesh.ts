import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { ip, type SocketAddress, type SpiffeId, silentLogger, systemClock } from '@ambit/core'
import { CertificateAuthority, createCsr, type WorkloadCertificate, workloadCertificate } from '@ambit/identity'
import { HbonePool, type HbonePoolComponents, type HbonePoolOptions } from '../src/pool.ts'
import { type HboneRequest, HboneServer, type HboneServerComponents, type HboneServerOptions } from '../src/server.ts'

export function identity(serviceAccount: string, trustDomain = 'cluster.local'): SpiffeId {
  return { trustDomain, namespace: 'test', serviceAccount }
}

export const CLIENT = identity('client')
export const SERVER = identity('server')

/** One CA and the certificates it signs, with real clocks. */
export class TestCa {
  readonly #ca = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' }).ca

  get rootsPem(): string {
    return this.#ca.rootsPem
  }

  certify(
    id: SpiffeId,
    options: { readonly ttlSeconds?: number; readonly issuedAt?: number } = {},
  ): WorkloadCertificate {
    const { privateKey, csrPem } = createCsr(id)
    const now = options.issuedAt ?? Date.now()
    const certChain = this.#ca.sign({ csrPem, identity: id, ttlSeconds: options.ttlSeconds ?? 3600, now })
    return workloadCertificate({ identity: id, privateKey, certChain, now })
  }
}

/** An HboneServer behind a listener on loopback. */
export interface TestServer extends AsyncDisposable {
  readonly hbone: HboneServer
  readonly address: SocketAddress
  readonly tlsErrors: Error[]
}

export async function startServer(
  components: Partial<HboneServerComponents> & Pick<HboneServerComponents, 'certificate' | 'onRequest'>,
  options: HboneServerOptions = {},
): Promise<TestServer> {
  const tlsErrors: Error[] = []
  const hbone = new HboneServer(
    { onTlsError: (error) => tlsErrors.push(error), clock: systemClock, logger: silentLogger, ...components },
    options,
  )
  const { server, address } = await listen((socket) => hbone.accept(socket), false)
  return {
    hbone,
    address,
    tlsErrors,
    async [Symbol.asyncDispose]() {
      server.close()
      await hbone.close()
    },
  }
}

export async function listen(
  onConnection: (socket: Socket) => void,
  allowHalfOpen: boolean,
): Promise<{ server: Server; address: SocketAddress }> {
  const server = createServer({ allowHalfOpen, noDelay: true }, onConnection)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new TypeError('not listening on TCP')
  return { server, address: { ip: ip('127.0.0.1'), port: bound.port } }
}

export async function dial(to: SocketAddress, allowHalfOpen = false): Promise<Socket> {
  const socket = connect({ host: to.ip, port: to.port, allowHalfOpen })
  await once(socket, 'connect')
  return socket
}

export function newPool(
  components: Partial<HbonePoolComponents> & Pick<HbonePoolComponents, 'certificate'>,
  options: HbonePoolOptions = {},
): HbonePool {
  return new HbonePool({ dial: (to) => dial(to), clock: systemClock, logger: silentLogger, ...components }, options)
}

/** Two connected TCP sockets, both able to half-close. */
export async function tcpPair(): Promise<{ near: Socket; far: Socket; [Symbol.dispose](): void }> {
  const { promise, resolve } = Promise.withResolvers<Socket>()
  const { server, address } = await listen(resolve, true)
  const near = await dial(address, true)
  const far = await promise
  server.close()
  for (const socket of [near, far]) socket.on('error', () => undefined)
  return {
    near,
    far,
    [Symbol.dispose]() {
      near.destroy()
      far.destroy()
    },
  }
}

export function echo(request: HboneRequest): void {
  const stream = request.accept()
  stream.pipe(stream)
}

/** Everything up to the end of the data; unlike iteration it leaves the other direction open. */
export async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'end')
  return Buffer.concat(chunks)
}

/** Resolves when the function first answers true, looking again after every turn of the loop. */
export async function until(test: () => boolean): Promise<void> {
  while (!test()) await new Promise((resolve) => setImmediate(resolve))
}
