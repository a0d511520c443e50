import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { TYPE_URLS } from '@ambit/api'
import { type Ip, ip, type SocketAddress, type SocketFactory } from '@ambit/core'
import { type DescriptorFactory, hostSockets, netnsDescriptors } from '@ambit/linux'
import { createLogger } from '@ambit/telemetry'
import {
  type AuthorizationInit,
  addressBytes,
  authorizationResource,
  CertificateMaker,
  ScriptedXds,
  type ServiceInit,
  serviceResource,
  type WorkloadInit,
  workloadResource,
} from '@ambit/testing'
import { App, type AppOverrides, type Config, readConfig } from '../../src/index.ts'

/** Loopback addresses of one test, so that several run at once on the real ports. */
export function podAddresses(): (last: number) => Ip {
  const prefix = `127.${randomInt(2, 250)}.${randomInt(1, 250)}`
  return (last) => ip(`${prefix}.${last}`)
}

/** Sockets of a pod without a namespace of its own: everything is bound to the pod's address. */
export class PodSockets implements SocketFactory {
  readonly #host = hostSockets()
  readonly #podIp: Ip
  /** Where the next captured connections were going, by the port they are captured on. */
  readonly redirected = new Map<number, SocketAddress>()

  constructor(podIp: Ip) {
    this.#podIp = podIp
  }

  readonly listen: SocketFactory['listen'] = (options) => this.#host.listen({ ...options, ip: this.#podIp })
  readonly dial: SocketFactory['dial'] = (options) => this.#host.dial({ ...options, from: options.from ?? this.#podIp })
  readonly bindUdp: SocketFactory['bindUdp'] = (address) => this.#host.bindUdp({ ...address, ip: this.#podIp })

  readonly preferNewer: SocketFactory['preferNewer'] = (listener) => this.#host.preferNewer(listener)

  originalDestination(socket: Socket): SocketAddress | undefined {
    return this.redirected.get(socket.localPort ?? 0) ?? this.#host.originalDestination(socket)
  }
}

/** The same for the reactor, redirected alike. */
class PodDescriptors implements DescriptorFactory {
  readonly #host = netnsDescriptors(undefined)
  readonly #podIp: Ip
  readonly #sockets: PodSockets

  constructor(podIp: Ip, sockets: PodSockets) {
    this.#podIp = podIp
    this.#sockets = sockets
  }

  readonly listener: DescriptorFactory['listener'] = (options) => this.#host.listener({ ...options, ip: this.#podIp })
  readonly client: DescriptorFactory['client'] = (options) =>
    this.#host.client({ ...options, from: options.from ?? this.#podIp })
  /** As those sockets: no handover. */
  readonly preferNewer: DescriptorFactory['preferNewer'] = () => false

  readonly originalDestination: DescriptorFactory['originalDestination'] = (accepted) =>
    this.#sockets.redirected.get(accepted.local.port) ?? this.#host.originalDestination(accepted)
}

/** Log lines, and waiting for one. */
export class Lines {
  readonly all: string[] = []
  readonly #waiting = new Set<() => void>()

  readonly write = (line: string): void => {
    this.all.push(line.trimEnd())
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  async find(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.all.find((line) => pattern.test(line))
      if (found !== undefined) return found
      await new Promise<void>((resolve) => void this.#waiting.add(resolve))
    }
  }
}

export interface Pod {
  readonly ip: Ip
  readonly app: App
  readonly lines: Lines
  readonly sockets: PodSockets
  /** Opens a connection as an application of the pod would, captured on its way to the target. */
  connectTo(target: SocketAddress): Promise<Socket>
  get(path: string): Promise<string>
  stats(): Promise<string>
}

export class Mesh implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack()
  readonly certificates = new CertificateMaker()
  readonly xds: ScriptedXds
  readonly at: (last: number) => Ip

  private constructor(xds: ScriptedXds, certificates: CertificateMaker) {
    this.certificates = certificates
    this.at = podAddresses()
    this.xds = this.#stack.use(xds)
  }

  static async start(): Promise<Mesh> {
    const certificates = new CertificateMaker()
    return new Mesh(await ScriptedXds.start({ certificates }), certificates)
  }

  defer(close: () => Promise<void> | void): void {
    this.#stack.defer(close)
  }

  workload(name: string, last: number, more: WorkloadInit = {}): void {
    const resource = workloadResource({
      uid: `Kubernetes//Pod/default/${name}`,
      name,
      namespace: 'default',
      serviceAccount: name,
      addresses: [addressBytes(this.at(last))],
      tunnelProtocol: 1,
      node: `node-${name}`,
      workloadName: `${name}-deployment`,
      canonicalName: name,
      canonicalRevision: 'v1',
      ...more,
    })
    this.xds.table.update(TYPE_URLS.address, { upserts: [resource] })
  }

  service(init: ServiceInit): void {
    this.xds.table.update(TYPE_URLS.address, { upserts: [serviceResource(init)] })
  }

  policy(init: AuthorizationInit): void {
    this.xds.table.update(TYPE_URLS.authorization, { upserts: [authorizationResource(init)] })
  }

  removePolicy(name: string): void {
    this.xds.table.update(TYPE_URLS.authorization, { removed: [name] })
  }

  /** A ztunnel for one pod, ready. */
  async pod(
    name: string,
    last: number,
    more: {
      env?: Record<string, string>
      overrides?: AppOverrides
      config?: Partial<Config>
      dataPath?: Config['dataPath']
    } = {},
  ): Promise<Pod> {
    const address = this.at(last)
    const lines = new Lines()
    const sockets = new PodSockets(address)
    const config: Config = {
      ...readConfig(
        {
          PROXY_MODE: 'dedicated',
          PROXY_WORKLOAD_INFO: `default/${name}/${name}`,
          NODE_NAME: `node-${name}`,
          XDS_ADDRESS: this.xds.address,
          XDS_ROOT_CA: this.certificates.rootsPem,
          CA_ADDRESS: '',
          ISTIO_META_DNS_CAPTURE: 'false',
          CONNECTION_TERMINATION_DEADLINE: '300ms',
          AMBIT_DATA_PATH: more.dataPath ?? 'node',
          ZTUNNEL_WORKER_THREADS: '1',
          ...more.env,
        },
        { exists: () => false, meshConfig: undefined },
      ),
      ...more.config,
    }
    const app = await App.start(config, {
      ca: this.certificates.client(),
      sockets,
      descriptors: new PodDescriptors(address, sockets),
      logger: createLogger({ write: lines.write, level: 'info' }),
      adminIp: ip('127.0.0.1'),
      dnsAddresses: [address],
      ...more.overrides,
    })
    this.#stack.use(app)
    await app.proxying
    const fetchText = async (port: number, path: string): Promise<string> =>
      await (await fetch(`http://127.0.0.1:${port}${path}`)).text()
    return {
      ip: address,
      app,
      lines,
      sockets,
      connectTo: async (target) => {
        sockets.redirected.set(config.ports.outbound, target)
        return await this.dial(address, { ip: address, port: config.ports.outbound })
      },
      get: (path) => fetchText(app.bound.admin.port, path),
      stats: () => fetchText(app.bound.stats.port, '/metrics'),
    }
  }

  async dial(from: Ip, to: SocketAddress): Promise<Socket> {
    const socket = connect({ host: to.ip, port: to.port, localAddress: from, allowHalfOpen: true })
    socket.on('error', () => undefined)
    this.#stack.defer(() => void socket.destroy())
    await once(socket, 'connect')
    return socket
  }

  /** An application that sends back what it gets; remembers its clients' addresses. */
  async echo(last: number, port: number): Promise<{ server: Server; clients: string[]; sockets: Socket[] }> {
    const clients: string[] = []
    const sockets: Socket[] = []
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      clients.push(socket.remoteAddress ?? '')
      sockets.push(socket)
      socket.on('error', () => undefined)
      socket.pipe(socket)
    })
    server.listen({ host: this.at(last), port })
    await once(server, 'listening')
    this.#stack.defer(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    return { server, clients, sockets }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

/** Everything until the end of the stream. */
export async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk)
  } catch {
    // A reset ends the data as well.
  }
  return Buffer.concat(chunks).toString()
}

/** The first chunk that arrives. */
export async function readSome(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return chunk.toString()
}
