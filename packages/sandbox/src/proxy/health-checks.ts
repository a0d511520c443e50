import { createServer, type Server as HttpServer } from 'node:http'
import type { Server } from 'node:net'
import { type Clock, ip, type Logger, type SocketFactory } from '@ambit/core'
import { WorkQueue } from '../controllers/work-queue.ts'
import type { EndpointSlice, Service } from '../objects/cluster.types.ts'
import { keyOf, type ObjectCache } from '../objects/object-cache.ts'
import type { SliceIndex } from '../objects/slice-index.ts'
import { servingPorts } from './frontends.ts'

export interface HealthNode {
  readonly name: string
  readonly sockets: SocketFactory
}

interface Open {
  readonly port: number
  readonly servers: readonly Server[]
}

/** What a load balancer asks a node for a service of the local policy: 200 where it has endpoints, 503 elsewhere. */
export function healthAnswer(
  service: Service,
  slices: Iterable<EndpointSlice>,
  node: string,
): { readonly status: number; readonly body: string } {
  const local = new Set(
    servingPorts([service], slices).flatMap(({ targets }) =>
      targets.flatMap((target) => (target.node === node ? [target.ip] : [])),
    ),
  )
  const { namespace, name } = service.metadata
  const body = { service: { namespace, name }, localEndpoints: local.size, serviceProxyHealthy: true }
  return { status: local.size > 0 ? 200 : 503, body: `${JSON.stringify(body)}\n` }
}

/** Serves `healthCheckNodePort` on every node, as kube-proxy does. */
export class HealthChecks implements Disposable {
  readonly #o: ConstructorParameters<typeof HealthChecks>[0]
  readonly #stack = new DisposableStack()
  readonly #queue: WorkQueue
  readonly #open = new Map<string, Open>()

  constructor(o: {
    readonly nodes: readonly HealthNode[]
    readonly services: ObjectCache<Service>
    readonly slices: SliceIndex
    readonly logger: Logger
    readonly clock: Clock
  }) {
    this.#o = o
    const { clock, logger, services } = o
    this.#queue = this.#stack.use(
      new WorkQueue({ name: 'health-checks', clock, logger, reconcile: (key) => this.#reconcile(key) }),
    )
    this.#stack.use(
      services.subscribe(({ object, previous }) => {
        if (object.spec.healthCheckNodePort !== undefined || previous?.spec.healthCheckNodePort !== undefined)
          this.#queue.add(keyOf(object))
      }),
    )
    for (const service of services.all())
      if (service.spec.healthCheckNodePort !== undefined) this.#queue.add(keyOf(service))
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
    for (const key of this.#open.keys()) this.#close(key)
  }

  async #reconcile(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const port = this.#o.services.get(namespace, name)?.spec.healthCheckNodePort
    if (this.#open.get(key)?.port === port) return
    this.#close(key)
    if (port === undefined) return
    const servers = await Promise.all(this.#o.nodes.map((node) => this.#listen(node, { namespace, name, port })))
    this.#open.set(key, { port, servers })
  }

  #close(key: string): void {
    for (const server of this.#open.get(key)?.servers ?? []) server.close()
    this.#open.delete(key)
  }

  #listen(
    node: HealthNode,
    { namespace, name, port }: { readonly namespace: string; readonly name: string; readonly port: number },
  ): Promise<Server> {
    const http: HttpServer = createServer((_request, response) => {
      const service = this.#o.services.get(namespace, name)
      const slices = this.#o.slices.of(namespace, name)
      const { status, body } =
        service === undefined ? { status: 503, body: '' } : healthAnswer(service, slices, node.name)
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
      response.end(body)
    })
    return node.sockets.listen({ ip: ip('::'), port, onConnection: (socket) => void http.emit('connection', socket) })
  }
}
