import { type Clock, type Logger, messageOf } from '@ambit/core'
import type { ObjectClient } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import { SERVICE_NAME_LABEL } from '../controllers/endpoint-slice.ts'
import { WorkQueue } from '../controllers/work-queue.ts'
import { MachinePortError, type MachinePorts } from '../host/machine-ports.ts'
import type { EventRecorder } from '../kubelet/event-recorder.ts'
import { LIMITS } from '../limits.ts'
import type { NodeAddresses } from '../net/addresses.ts'
import type { EndpointSlice, Service } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import { keyOf, type ObjectCache } from '../objects/object-cache.ts'
import type { SliceIndex } from '../objects/slice-index.ts'
import { type ServingPort, servingPorts } from '../proxy/frontends.ts'
import { admission, type DoorOptions, TcpDoor, UdpDoor } from './door.ts'
import {
  type Backend,
  backendsOf,
  balancerDoors,
  type DoorSpec,
  isBalanced,
  NODE_PORT_ADDRESS,
  nodePortDoors,
} from './doors-of.ts'
import { loopbackAddresses, portsToTry } from './loopback-addresses.ts'

/** Tells ports of a load balancer that are to be had under another number: `80=8080,443=8443`. */
export const MAPPED_PORTS_ANNOTATION = 'sandbox.ambit.dev/load-balancer-ports'

export interface BalancerComponents {
  readonly client: ObjectClient
  readonly ports: MachinePorts
  readonly logger: Logger
  readonly clock: Clock
  readonly events: Pick<EventRecorder, 'event'>
  readonly caches: {
    readonly services: ObjectCache<Service>
    readonly endpointSlices: ObjectCache<EndpointSlice>
  }
  readonly slices: SliceIndex
}

export interface BalancerOptions {
  readonly nodes: readonly NodeAddresses[]
  readonly loopbackStart: number
}

interface Opened {
  readonly door: AsyncDisposable
  /** Number it is open under. */
  readonly port: number
}

class ServiceDoors {
  readonly nodePorts = new Map<string, Opened>()
  readonly balanced = new Map<string, Opened>()
  address: string | undefined
  serving: readonly ServingPort[] | undefined
  turn = 0
}

const doorKey = ({ protocol, port }: DoorSpec): string => `${protocol}/${port}`

/**
 * What a cloud does for a cluster, with the machine's loopback as the outside: an address of its own for every load
 * balancer, and node ports at 127.0.0.1.
 */
export class ServiceBalancer implements AsyncDisposable {
  readonly #components: BalancerComponents
  readonly #options: BalancerOptions
  readonly #queue: WorkQueue
  readonly #subscriptions = new DisposableStack()
  readonly #services = new Map<string, ServiceDoors>()
  #open = 0

  constructor(components: BalancerComponents, options: BalancerOptions) {
    this.#components = components
    this.#options = options
    const { caches, clock, logger } = components
    this.#queue = this.#subscriptions.use(
      new WorkQueue({ name: 'balancer', logger, clock, reconcile: (key) => this.#reconcile(key) }),
    )
    this.#subscriptions.use(
      caches.services.subscribe(({ object, previous }) => {
        this.#forgetTargets(keyOf(object))
        if (hasDoors(object) || (previous !== undefined && hasDoors(previous))) this.#queue.add(keyOf(object))
      }),
    )
    this.#subscriptions.use(
      caches.endpointSlices.subscribe(({ object }) =>
        this.#forgetTargets(`${object.metadata.namespace}/${object.metadata.labels?.[SERVICE_NAME_LABEL]}`),
      ),
    )
    for (const service of caches.services.all()) if (hasDoors(service)) this.#queue.add(keyOf(service))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscriptions.dispose()
    for (const doors of this.#services.values())
      for (const opened of [doors.nodePorts, doors.balanced]) await this.#closeAll(opened)
  }

  #forgetTargets(key: string): void {
    const doors = this.#services.get(key)
    if (doors !== undefined) doors.serving = undefined
  }

  async #reconcile(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const service = this.#components.caches.services.get(namespace, name)
    const doors = this.#services.get(key) ?? new ServiceDoors()
    this.#services.set(key, doors)
    await this.#closeSurplus(doors.nodePorts, service === undefined ? [] : nodePortDoors(service))
    await this.#closeSurplus(doors.balanced, service === undefined ? [] : balancerDoors(service))
    if (doors.balanced.size === 0) doors.address = undefined
    if (service === undefined) {
      this.#services.delete(key)
      return
    }
    await this.#openNodePorts(service, doors)
    if (isBalanced(service.spec)) await this.#balance(service, doors)
    else await this.#publish(service, undefined, new Map())
  }

  async #closeSurplus(opened: Map<string, Opened>, wanted: readonly DoorSpec[]): Promise<void> {
    const keys = new Set(wanted.map(doorKey))
    for (const [key, { door }] of opened) {
      if (keys.has(key)) continue
      opened.delete(key)
      this.#open--
      await door[Symbol.asyncDispose]()
    }
  }

  #closeAll(opened: Map<string, Opened>): Promise<void> {
    return this.#closeSurplus(opened, [])
  }

  async #openNodePorts(service: Service, doors: ServiceDoors): Promise<void> {
    for (const spec of nodePortDoors(service)) {
      if (doors.nodePorts.has(doorKey(spec))) continue
      try {
        const serves = (one: ServingPort): boolean => one.nodePort === spec.port && one.protocol === spec.protocol
        const door = await this.#openDoor(NODE_PORT_ADDRESS, spec, this.#doorOptions(service, serves))
        doors.nodePorts.set(doorKey(spec), { door, port: spec.port })
      } catch (error) {
        const message = `node port ${spec.port} is open on the nodes, but not on this machine's ${NODE_PORT_ADDRESS}: ${messageOf(error)}`
        this.#tell(service, 'Warning', 'NodePortNotOpened', message)
      }
    }
  }

  async #balance(service: Service, doors: ServiceDoors): Promise<void> {
    const { loadBalancerIP: wished } = service.spec
    if (wished !== undefined && wished !== '' && !wished.startsWith('127.')) {
      await this.#publish(service, undefined, new Map())
      const message = `loadBalancerIP ${wished} is no address of this machine's loopback, where the sandbox has its load balancers`
      return this.#tell(service, 'Warning', 'SyncLoadBalancerFailed', message)
    }
    let failure = 'every address is in use'
    for (const address of doors.address === undefined ? this.#addresses(service, wished) : [doors.address]) {
      try {
        await this.#openBalancer(service, doors, address)
        doors.address = address
        const ports = new Map([...doors.balanced].map(([key, { port }]) => [key, port]))
        return await this.#publish(service, address, ports)
      } catch (error) {
        if (!(error instanceof MachinePortError)) throw error
        failure = error.message
        if (doors.address === undefined) await this.#closeAll(doors.balanced)
      }
    }
    this.#tell(
      service,
      'Warning',
      'SyncLoadBalancerFailed',
      `no address of the loopback has its ports free: ${failure}`,
    )
  }

  /** The one it had before comes first. */
  #addresses(service: Service, wished: string | undefined): readonly string[] {
    const taken = new Set([...this.#services.values()].flatMap(({ address }) => address ?? []))
    const before = service.status?.loadBalancer?.ingress?.[0]?.ip
    const addresses = loopbackAddresses(this.#options.loopbackStart, taken, wished || undefined)
    return before !== undefined && addresses.includes(before) ? [before, ...addresses] : addresses
  }

  async #openBalancer(service: Service, doors: ServiceDoors, address: string): Promise<void> {
    for (const spec of balancerDoors(service)) {
      if (doors.balanced.has(doorKey(spec))) continue
      const serves = (one: ServingPort): boolean => one.port === spec.port && one.protocol === spec.protocol
      const options = this.#doorOptions(service, serves)
      let failure: unknown
      for (const port of portsToTry(spec.port)) {
        if (port > 65_535) continue
        try {
          const door = await this.#openDoor(address, { ...spec, port }, options)
          doors.balanced.set(doorKey(spec), { door, port: door.port })
          failure = undefined
          break
        } catch (error) {
          failure = error
          // In use: another address will have it. Forbidden: no address will.
          if (!(error instanceof MachinePortError) || (error.reason !== 'EACCES' && doors.address === undefined)) break
        }
      }
      if (failure !== undefined) throw failure
    }
  }

  async #openDoor(
    address: string,
    { protocol, port }: DoorSpec,
    options: DoorOptions,
  ): Promise<AsyncDisposable & { readonly port: number }> {
    if (this.#open >= LIMITS.machinePorts)
      throw new MachinePortError(`the sandbox has ${LIMITS.machinePorts} ports open already`, 'EMFILE')
    const { ports } = this.#components
    if (protocol === 'udp') {
      const socket = await ports.openUdp(address, port)
      this.#open++
      return new UdpDoor(socket, options)
    }
    const server = await ports.openTcp(address, port)
    this.#open++
    return new TcpDoor(server, options)
  }

  #doorOptions(service: Service, serves: (one: ServingPort) => boolean): DoorOptions {
    const key = keyOf(service)
    const current = (): Service | undefined => {
      const { namespace, name = '' } = service.metadata
      return this.#components.caches.services.get(namespace, name)
    }
    return {
      logger: this.#components.logger,
      backends: () => this.#backends(key, current(), serves),
      admits: (ip) => admission(current()?.spec.loadBalancerSourceRanges)(ip),
    }
  }

  /** Nodes, or endpoints, in turn; with affinity in one order always, so that the nodes see one client as one. */
  #backends(key: string, service: Service | undefined, serves: (one: ServingPort) => boolean): readonly Backend[] {
    const doors = this.#services.get(key)
    if (service === undefined || doors === undefined) return []
    const { namespace = '', name = '' } = service.metadata
    doors.serving ??= servingPorts([service], this.#components.slices.of(namespace, name))
    const one = doors.serving.find((each) => serves(each) && each.targets.length > 0)
    if (one === undefined) return []
    const backends = backendsOf(one, this.#options.nodes)
    if (one.affinitySeconds !== undefined || backends.length === 0) return backends
    const first = doors.turn++ % backends.length
    return [...backends.slice(first), ...backends.slice(0, first)]
  }

  /** Writes the status, and the ports that are not to be had under their own number. */
  async #publish(service: Service, address: string | undefined, ports: ReadonlyMap<string, number>): Promise<void> {
    const { namespace, name = '', annotations } = service.metadata
    const { client } = this.#components
    const mapped = balancerDoors(service).flatMap((spec) => {
      const port = ports.get(doorKey(spec))
      return port === undefined || port === spec.port ? [] : [{ from: spec.port, to: port }]
    })
    const note = mapped.length === 0 ? undefined : mapped.map(({ from, to }) => `${from}=${to}`).join(',')
    try {
      if (annotations?.[MAPPED_PORTS_ANNOTATION] !== note)
        await client.patch(GVR.services, namespace, name, {
          metadata: { annotations: { [MAPPED_PORTS_ANNOTATION]: note ?? null } },
        })
      const before = service.status?.loadBalancer?.ingress ?? []
      // What others have published for a class of their own is not ours to take away.
      const foreign = service.spec.type === 'LoadBalancer' && !isBalanced(service.spec)
      const same = address === undefined ? before.length === 0 : before.length === 1 && before[0]?.ip === address
      if (same || foreign) return
      const ingress = address === undefined ? null : [{ ip: address, ipMode: 'Proxy' }]
      await client.patch(
        GVR.services,
        namespace,
        name,
        { status: { loadBalancer: { ingress } } },
        { subresource: 'status' },
      )
    } catch (error) {
      if (hasStatus(error, 404)) return
      throw error
    }
    if (address === undefined) return
    this.#tell(service, 'Normal', 'EnsuredLoadBalancer', `reachable on this machine at ${address}`)
    for (const { from, to } of mapped)
      this.#tell(
        service,
        'Warning',
        'LoadBalancerPortMapped',
        `port ${from} is at ${address}:${to}: ports this low are for root on this machine (net.ipv4.ip_unprivileged_port_start)`,
      )
  }

  #tell(service: Service, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#components.events.event(service, { type, reason, message, component: 'service-controller' })
  }
}

function hasDoors({ spec, status }: Service): boolean {
  return spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (status?.loadBalancer?.ingress ?? []).length > 0
}
