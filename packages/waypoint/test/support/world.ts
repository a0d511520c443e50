import { once } from 'node:events'
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TYPE_URLS, waypointpb } from '@ambit/api'
import {
  formatSpiffeId,
  ip,
  parseSocketAddress,
  type SocketAddress,
  type SpiffeId,
  silentLogger,
  systemClock,
} from '@ambit/core'
import { HbonePool, HboneServer, splice } from '@ambit/hbone'
import { createLogger } from '@ambit/telemetry'
import {
  addressBytes,
  CertificateMaker,
  LoopbackSockets,
  ScriptedXds,
  type ServiceInit,
  serviceResource,
  type WorkloadInit,
  workloadResource,
} from '@ambit/testing'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { App, type AppOverrides, type Config } from '../../src/index.ts'
import { writeBuffersOnly } from './write-buffers.ts'

type DestinationInit = MessageInitShape<typeof waypointpb.DestinationSchema>
export type PortInit = MessageInitShape<typeof waypointpb.PortSchema>
export type PolicyInit = MessageInitShape<typeof waypointpb.HttpAuthorizationSchema>
export type SettingsInit = MessageInitShape<typeof waypointpb.SettingsSchema>
export type RouteInit = MessageInitShape<typeof waypointpb.RouteSchema>

export const { Protocol } = waypointpb
export const WAYPOINT_IP = '10.0.0.9'
export const VIP = '10.96.0.1'
const HBONE = 15008

/** Lines, and waiting for one. */
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

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly trailers: IncomingMessage['trailers']
}

/** A waypoint with real tunnels on both sides: clients of the mesh, and workloads whose HBONE ends in real servers. */
export class World implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack()
  readonly certificates: CertificateMaker
  readonly xds: ScriptedXds
  readonly sockets: LoopbackSockets
  readonly log = new Lines()
  readonly access = new Lines()
  #app: App | undefined

  private constructor(xds: ScriptedXds, certificates: CertificateMaker) {
    this.certificates = certificates
    this.xds = this.#stack.use(xds)
    this.sockets = this.#stack.use(new LoopbackSockets())
  }

  static async start(
    options: {
      readonly settings?: SettingsInit
      readonly config?: Partial<Config>
      readonly overrides?: AppOverrides
      readonly logLevel?: string
    } = {},
  ): Promise<World> {
    const certificates = new CertificateMaker()
    const world = new World(await ScriptedXds.start({ certificates }), certificates)
    world.settings(options.settings)
    world.workload('client', '127.0.0.1')
    world.workload('waypoint', WAYPOINT_IP, { serviceAccount: 'waypoint' })
    const config: Config = {
      role: 'waypoint',
      podName: 'waypoint-1',
      namespace: 'default',
      gateway: 'waypoint',
      identity: certificates.identity('default', 'waypoint'),
      instanceIp: ip(WAYPOINT_IP),
      nodeName: 'node-1',
      network: '',
      clusterId: 'Kubernetes',
      controlPlane: world.xds.address,
      root: { pem: certificates.rootsPem },
      token: 'none',
      secretTtlSeconds: 3600,
      ipv6Enabled: false,
      ports: { hbone: HBONE, admin: 0, stats: 0, readiness: 0 },
      minDrainMs: 50,
      drainDeadlineMs: 1000,
      log: { format: 'plain', level: 'info' },
      nodeMetadata: {},
      version: 'test',
      ...options.config,
    }
    world.#app = await App.start(config, {
      ca: certificates.client(),
      sockets: world.sockets,
      logger: createLogger({ write: world.log.write, level: options.logLevel ?? 'info' }),
      accessLog: world.access.write,
      adminIp: ip('127.0.0.1'),
      ...options.overrides,
    })
    return world
  }

  get app(): App {
    if (this.#app === undefined) throw new TypeError('not started')
    return this.#app
  }

  async ready(): Promise<void> {
    await this.app.whenReady
  }

  settings(init: SettingsInit = {}): void {
    const message = create(waypointpb.SettingsSchema, {
      namespace: 'default',
      gateway: 'waypoint',
      trustDomain: 'cluster.local',
      rootNamespace: 'istio-system',
      connectTimeoutMs: 2000,
      ...init,
    })
    this.#update(TYPE_URLS.waypointSettings, 'default/waypoint', toBinary(waypointpb.SettingsSchema, message))
  }

  workload(name: string, address: string, more: WorkloadInit = {}): void {
    const resource = workloadResource({
      uid: `Kubernetes//Pod/default/${name}`,
      name,
      namespace: 'default',
      serviceAccount: name,
      addresses: [addressBytes(address)],
      tunnelProtocol: 1,
      node: 'node-1',
      workloadName: name,
      canonicalName: name,
      canonicalRevision: 'v1',
      clusterId: 'Kubernetes',
      ...more,
    })
    this.xds.table.update(TYPE_URLS.address, { upserts: [resource] })
  }

  service(name: string, vip: string, ports: ServiceInit['ports'], more: ServiceInit = {}): void {
    this.xds.table.update(TYPE_URLS.address, {
      upserts: [
        serviceResource({
          name,
          namespace: 'default',
          hostname: `${name}.default.svc.cluster.local`,
          addresses: [{ network: '', address: addressBytes(vip) }],
          ports: ports ?? [],
          canonical: true,
          ...more,
        }),
      ],
    })
  }

  destination(
    name: string,
    ports: readonly PortInit[],
    more: Omit<DestinationInit, 'target' | '$typeName'> = {},
    trafficPolicy = '',
  ): void {
    const hostname = `${name}.default.svc.cluster.local`
    const message = create(waypointpb.DestinationSchema, {
      ...more,
      target: { case: 'service', value: { namespace: 'default', hostname, trafficPolicy, ports: [...ports] } },
    })
    this.#update(TYPE_URLS.destination, `default/${hostname}`, toBinary(waypointpb.DestinationSchema, message))
  }

  trafficPolicy(name: string, init: MessageInitShape<typeof waypointpb.TrafficPolicySchema>): void {
    const message = create(waypointpb.TrafficPolicySchema, init)
    this.#update(TYPE_URLS.trafficPolicy, name, toBinary(waypointpb.TrafficPolicySchema, message))
  }

  /** The workload of that name is in the subsets, and in no others. */
  member(name: string, ...subsets: readonly string[]): void {
    const message = create(waypointpb.SubsetMemberSchema, { subsets: [...subsets] })
    this.#update(
      TYPE_URLS.subsetMember,
      `Kubernetes//Pod/default/${name}`,
      toBinary(waypointpb.SubsetMemberSchema, message),
    )
  }

  credential(name: string, init: MessageInitShape<typeof waypointpb.CredentialSchema>): void {
    const message = create(waypointpb.CredentialSchema, init)
    this.#update(TYPE_URLS.credential, name, toBinary(waypointpb.CredentialSchema, message))
  }

  policy(name: string, init: PolicyInit): void {
    const message = create(waypointpb.HttpAuthorizationSchema, { namespace: 'default', name, ...init })
    this.#update(TYPE_URLS.httpAuthorization, `default/${name}`, toBinary(waypointpb.HttpAuthorizationSchema, message))
  }

  /** A pod in the mesh: its HBONE is real and ends at the server on the loopback port. */
  async pod(
    name: string,
    address: string,
    services: Readonly<Record<string, Readonly<Record<number, number>>>>,
    apps: Readonly<Record<number, number>>,
    /** The address CONNECTs may ask for; of a waypoint that of the service. */
    serves: string = address,
  ): Promise<Pod> {
    const identity = this.certificates.identity('default', name)
    const pod: Pod = { connects: [], peers: [], close: () => undefined }
    const certificate = this.certificates.workload(identity)
    const hbone = this.#stack.use(
      new HboneServer({
        certificate: () => certificate,
        onTlsError: () => undefined,
        clock: systemClock,
        logger: silentLogger,
        onRequest: (request) => {
          pod.connects.push(request.authority ?? '')
          pod.peers.push(formatSpiffeId(request.peer.identity))
          const target = parseSocketAddress(request.authority ?? '')
          const port = target === undefined || target.ip !== serves ? undefined : apps[target.port]
          if (port === undefined) return request.reject(400)
          const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
          socket.once('error', () => request.reject(503))
          socket.once('connect', () => void splice(request.accept(), socket))
          return undefined
        },
      }),
    )
    const server = createServer((socket) => hbone.accept(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.#stack.defer(() => void server.close())
    pod.close = () => {
      server.close()
      void hbone.close()
    }
    this.sockets.route({ ip: ip(address), port: HBONE }, { ip: ip('127.0.0.1'), port: portOf(server) })
    this.workload(name, address, {
      services: Object.fromEntries(
        Object.entries(services).map(([service, ports]) => [
          `default/${service}.default.svc.cluster.local`,
          {
            ports: Object.entries(ports).map(([servicePort, targetPort]) => ({
              servicePort: Number(servicePort),
              targetPort,
            })),
          },
        ]),
      ),
    })
    return pod
  }

  /** A server on loopback that ends with the world. */
  async listen(server: Server): Promise<number> {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const sockets = new Set<Socket>()
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    this.#stack.defer(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    return portOf(server)
  }

  /** The whole of the usual case: one service on port 80, one pod, one application. */
  async serve(
    app: Server,
    port: PortInit = {},
    more: Omit<DestinationInit, 'target' | '$typeName'> = {},
  ): Promise<Pod> {
    const appPort = await this.listen(app)
    this.service('web', VIP, [{ servicePort: 80, targetPort: 8080 }])
    const pod = await this.pod('web-1', '10.0.0.11', { web: { 80: 8080 } }, { 8080: appPort })
    this.destination('web', [{ number: 80, protocol: Protocol.HTTP, ...port }], more)
    await this.ready()
    return pod
  }

  client(serviceAccount = 'client'): Client {
    const identity = this.certificates.identity('default', serviceAccount)
    const certificate = this.certificates.workload(identity)
    const pool = this.#stack.use(
      new HbonePool({
        dial: async ({ port }) => {
          const socket = connect({ host: '127.0.0.1', port, noDelay: true })
          await once(socket, 'connect')
          return socket
        },
        certificate: () => Promise.resolve(certificate),
        clock: systemClock,
        logger: silentLogger,
      }),
    )
    const to = this.sockets.listener(HBONE)
    if (to === undefined) throw new TypeError('the waypoint does not listen')
    return new Client(pool, identity, to, this.certificates.identity('default', 'waypoint'))
  }

  async stats(): Promise<string> {
    return await (await fetch(`http://127.0.0.1:${this.app.bound.stats.port}/stats/prometheus`)).text()
  }

  /** Resolves when the waypoint has taken what was sent to it so far. */
  async applied(test: () => Promise<boolean>): Promise<void> {
    while (!(await test())) await new Promise((resolve) => setImmediate(resolve))
  }

  defer(close: () => void): void {
    this.#stack.defer(close)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#app?.close()
    await this.#stack.disposeAsync()
  }

  #update(typeUrl: string, name: string, bytes: Uint8Array): void {
    this.xds.table.update(typeUrl, { upserts: [{ name, bytes }] })
  }
}

export interface Pod {
  /** Authorities asked for. */
  readonly connects: string[]
  /** Who asked. */
  readonly peers: string[]
  close: () => void
}

/** A pod of the mesh that talks to the waypoint. */
export class Client {
  readonly #pool: HbonePool
  readonly #identity: SpiffeId
  readonly #to: SocketAddress
  readonly #waypoint: SpiffeId

  constructor(pool: HbonePool, identity: SpiffeId, to: SocketAddress, waypoint: SpiffeId) {
    this.#pool = pool
    this.#identity = identity
    this.#to = to
    this.#waypoint = waypoint
  }

  /** A connection to an address of the mesh, as its ztunnel opens it. */
  async connect(authority = `${VIP}:80`): Promise<Duplex> {
    const { stream } = await this.#pool.open({
      source: this.#identity,
      sourceIp: ip('127.0.0.1'),
      to: this.#to,
      expected: [this.#waypoint],
      authority,
    })
    stream.on('error', () => undefined)
    return stream
  }

  async request(
    options: RequestOptions & { readonly body?: string | Buffer; readonly authority?: string } = {},
  ): Promise<Answer> {
    const sent = await this.start(options)
    sent.end(options.body)
    return await answerOf(sent)
  }

  /** A request whose body the caller writes. */
  async start(options: RequestOptions & { readonly authority?: string } = {}, stream?: Duplex): Promise<ClientRequest> {
    const connection = stream ?? (await this.connect(options.authority))
    // Node's own client has the fault that the waypoint works around.
    writeBuffersOnly(connection)
    const agent = new Agent()
    agent.createConnection = () => connection
    const sent = httpRequest({ host: 'web', agent, ...options })
    sent.on('error', () => undefined)
    return sent
  }

  async http2(authority?: string): Promise<ClientHttp2Session> {
    const stream = await this.connect(authority)
    const session = connectHttp2('http://web', { createConnection: () => stream })
    session.on('error', () => undefined)
    return session
  }

  /** Sends the bytes and answers with all that comes back. */
  async raw(text: string | Buffer, authority?: string): Promise<string> {
    const stream = await this.connect(authority)
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.write(text)
    await once(stream, 'end').catch(() => undefined)
    stream.destroy()
    return Buffer.concat(chunks).toString('latin1')
  }
}

export async function answerOf(sent: ClientRequest): Promise<Answer> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const body = await textOf(response)
  return { status: response.statusCode ?? 0, headers: response.headers, body, trailers: response.trailers }
}

export async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('not listening on TCP')
  return address.port
}
