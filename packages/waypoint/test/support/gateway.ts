import { type EventEmitter, once } from 'node:events'
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type RequestOptions,
  type Server,
} from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import type { waypointpb } from '@ambit/api'
import type { CertificateMaker } from '@ambit/testing'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { AppOverrides } from '../../src/index.ts'
import {
  type Answer,
  answerOf,
  type Pod,
  type PolicyInit,
  type RouteInit,
  type SettingsInit,
  VIP,
  World,
} from './world.ts'

export type ListenerInit = MessageInitShape<typeof waypointpb.ListenerSchema>

export const HTTP = 8080
export const HTTPS = 8443
export const GATEWAY = 'spiffe://cluster.local/ns/default/sa/waypoint'

/** All requests to one service. */
export function toService(name: string, more: RouteInit = {}, port = 80): RouteInit {
  const hostname = `${name}.default.svc.cluster.local`
  const backends = [{ namespace: 'default', hostname, port, weight: 1, protocol: 2 }]
  return { name: `default.${name}.0`, action: { case: 'backends', value: { backends } }, ...more } as RouteInit
}

export function listener(init: ListenerInit = {}, ...routes: readonly RouteInit[]): ListenerInit {
  const table = { routes: routes.length === 0 ? [toService('web')] : [...routes] }
  return { name: 'http', port: HTTP, virtualHosts: [{ hostnames: ['*'], routes: table }], ...init }
}

/** The application behind everything: says what it was asked. */
export function echo(name = 'web'): Server {
  return createServer((request, response) => {
    const { method, url, headers } = request
    response.end(JSON.stringify({ name, method, url, headers }))
  })
}

export interface Echoed {
  readonly name: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

/** A gateway with one service of one pod behind it. */
export class GatewayWorld implements AsyncDisposable {
  readonly world: World
  readonly pod: Pod

  private constructor(world: World, pod: Pod) {
    this.world = world
    this.pod = pod
  }

  static async start(
    listeners: readonly ListenerInit[] = [listener()],
    options: {
      readonly settings?: SettingsInit
      readonly overrides?: AppOverrides
      readonly app?: Server
      readonly policies?: Readonly<Record<string, PolicyInit>>
      readonly minDrainMs?: number
    } = {},
  ): Promise<GatewayWorld> {
    const { settings, overrides = {}, policies = {}, minDrainMs = 50 } = options
    const world = await World.start({
      settings: { listeners: [...listeners], ...settings },
      config: { role: 'gateway', minDrainMs, drainDeadlineMs: 20_000 },
      logLevel: 'debug',
      overrides,
    })
    for (const [name, policy] of Object.entries(policies)) world.policy(name, policy)
    const port = await world.listen(options.app ?? echo())
    world.service('web', VIP, [{ servicePort: 80, targetPort: 8080 }])
    const pod = await world.pod('web-1', '10.0.0.11', { web: { 80: 8080 } }, { 8080: port })
    await world.ready()
    return new GatewayWorld(world, pod)
  }

  /** Says other listeners, and waits until the gateway acts by them. */
  async settings(listeners: readonly ListenerInit[], more: SettingsInit = {}): Promise<void> {
    const marker = `v${Math.random()}`
    this.world.settings({ listeners: [...listeners], ...more, rootNamespace: marker })
    await this.world.applied(async () => (await this.dump()).settings?.rootNamespace === marker)
  }

  async dump(): Promise<Dump> {
    const { port } = this.world.app.bound.admin
    return (await (await fetch(`http://127.0.0.1:${port}/config_dump`)).json()) as Dump
  }

  /** Where the port really is. */
  at(port: number): { readonly host: string; readonly port: number } {
    const address = this.world.sockets.listener(port)
    if (address === undefined) throw new TypeError(`nobody listens at ${port}`)
    return { host: '127.0.0.1', port: address.port }
  }

  async connect(port = HTTP): Promise<Socket> {
    const socket = connect(this.at(port))
    socket.on('error', () => undefined)
    this.world.defer(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }

  async get(path: string, options: RequestOptions & { readonly body?: string } = {}, port = HTTP): Promise<Answer> {
    const sent = httpRequest({ ...this.at(port), path, agent: false, ...options })
    sent.end(options.body)
    return await answerOf(sent)
  }

  async echoed(path: string, options: RequestOptions = {}, port = HTTP): Promise<Echoed> {
    return JSON.parse((await this.get(path, options, port)).body) as Echoed
  }

  /** Rejects when the gateway lets nobody in. */
  async tls(servername: string, options: ConnectionOptions = {}, port = HTTPS): Promise<TLSSocket> {
    const ca = this.world.certificates.rootsPem
    const socket = connectTls({ ...this.at(port), ...(servername !== '' && { servername }), ca, ...options })
    this.world.defer(() => socket.destroy())
    await once(socket, 'secureConnect')
    socket.on('error', () => undefined)
    return socket
  }

  /** One request on a connection of its own; rejects when it is closed without an answer. */
  async overTls(servername: string, options: ConnectionOptions & RequestOptions = {}, port = HTTPS): Promise<Answer> {
    const socket = await this.tls(servername, { ALPNProtocols: ['http/1.1'], ...options }, port)
    const sent = httpRequest({
      createConnection: () => socket,
      path: '/',
      headers: { host: servername, ...(options.headers as Record<string, string>) },
    })
    sent.end()
    return await answerOf(sent)
  }

  async http2(servername: string): Promise<ClientHttp2Session> {
    const socket = await this.tls(servername, { ALPNProtocols: ['h2'] })
    const session = connectHttp2(`https://${servername}`, { createConnection: () => socket })
    session.on('error', () => undefined)
    return session
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]()
  }
}

export interface Dump {
  readonly settings?: { readonly rootNamespace: string } | null
  readonly credentials: readonly string[]
  readonly listenerCertificates: readonly {
    readonly listener: string
    readonly problem?: string
    readonly certificates: readonly { readonly credential: string; readonly serialNumber: string }[]
  }[]
}

/** A key pair for the names, as a Secret of type kubernetes.io/tls has it. */
export function keyPair(
  certificates: CertificateMaker,
  ...names: readonly string[]
): { certificateChainPem: Uint8Array; privateKeyPem: Uint8Array; keyPem: string } {
  const { chainPem, keyPem } = certificates.server(names)
  return { certificateChainPem: Buffer.from(chainPem), privateKeyPem: Buffer.from(keyPem), keyPem }
}

/** Resolves when it is over, however it ended. */
export async function closed(stream: Pick<Duplex, 'destroyed'> & Pick<EventEmitter, 'once'>): Promise<void> {
  if (!stream.destroyed) await new Promise<void>((resolve) => void stream.once('close', resolve))
}
