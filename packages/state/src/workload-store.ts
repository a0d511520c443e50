import type { Clock, Ip } from '@ambit/core'
import { abortable, TimeSlices } from '@ambit/core'
import { AddressIndex } from './address-index.ts'
import { type Address, decodeAddress } from './decode-address.ts'
import { EndpointIndex } from './endpoint-index.ts'
import { LOCAL_WORKLOAD_WAIT_MS, MAX_RESOURCES_PER_STEP, SLICE_MS } from './limits.ts'
import type { ReceivedResource, RejectedResource, ResourceChange } from './resources.types.ts'
import { addTo, bestOf, isVisible, removeFrom, VipIndex } from './vip-index.ts'
import { type Endpoint, type Service, type ServiceKey, serviceKey, type Workload } from './workload.types.ts'

export interface WorkloadStoreComponents {
  readonly clock: Clock
}

export interface WorkloadStoreOptions {
  /** Name of this node. When given, only its own workloads can be found as local ones. */
  readonly nodeName?: string | undefined
  /** Namespace that wins among equal services of one hostname, after the client's own and Kubernetes Services. */
  readonly preferredServiceNamespace?: string | undefined
}

/** A pod as the node agent names it. */
export interface LocalWorkloadRef {
  readonly name: string
  readonly namespace: string
  readonly serviceAccount: string
}

/** What one change touched; keys of things that may since be gone. */
export interface WorkloadStoreChange {
  readonly workloads: readonly string[]
  readonly services: readonly ServiceKey[]
}

/** What resolution needs of a store; nothing here changes it. */
export interface WorkloadLookup {
  workload(uid: string): Workload | undefined
  workloadByIp(network: string, ip: Ip): Workload | undefined
  workloadByHostname(namespace: string, hostname: string): Workload | undefined
  service(key: ServiceKey): Service | undefined
  serviceByVip(network: string, ip: Ip, clientNamespace: string): Service | undefined
  serviceByHostname(hostname: string, clientNamespace: string): Service | undefined
  /** The same list until a workload or the health policy of the service changes, then another one. */
  usableEndpoints(service: Service): readonly Endpoint[]
  endpoint(service: Service, workloadUid: string): Endpoint | undefined
}

/**
 * Every workload and service this proxy knows of, by the names traffic uses for them. Updates may come in any order: the
 * result depends only on the last version of each resource. One call changes the store in one step.
 */
export class WorkloadStore implements WorkloadLookup {
  readonly #clock: Clock
  readonly #nodeName: string | undefined
  readonly #preferredNamespace: string | undefined
  readonly #workloads = new Map<string, Workload>()
  readonly #byIp = new AddressIndex<Workload>()
  readonly #byHostname = new Map<string, Set<Workload>>()
  readonly #local = new Map<string, Set<Workload>>()
  readonly #services = new Map<ServiceKey, Service>()
  readonly #servicesByHostname = new Map<string, Set<Service>>()
  readonly #vips = new VipIndex()
  readonly #endpoints = new EndpointIndex()
  readonly #listeners = new Set<(change: WorkloadStoreChange) => void>()

  constructor({ clock }: WorkloadStoreComponents, options: WorkloadStoreOptions = {}) {
    this.#clock = clock
    this.#nodeName = options.nodeName === '' ? undefined : options.nodeName
    this.#preferredNamespace = options.preferredServiceNamespace
  }

  /** Takes an xDS change for `istio.workload.Address`; what cannot be decoded is returned and changes nothing. */
  apply(change: ResourceChange): readonly RejectedResource[] {
    const rejected: RejectedResource[] = []
    const touched: Touched = { workloads: [], services: [] }
    for (const name of change.removed) this.#removeNamed(name, touched)
    for (const resource of change.upserts) {
      const address = readAddress(resource, rejected)
      if (address?.kind === 'workload') this.#putWorkload(address.workload, touched)
      else if (address !== undefined) this.#putService(address.service, touched)
    }
    this.#announce(touched)
    return rejected
  }

  /**
   * As {@link apply}; a large change is read and taken piece by piece. Every piece is a state a proxy may act on, by an order that never opens
   * what either end of the change closes: services come before the workloads that serve them, so that their addresses are never taken for
   * strangers', and what leaves goes last, or together with the arrival of whoever has its address now. Until it is through, no other
   * change may be given.
   */
  applyInPieces(change: ResourceChange): readonly RejectedResource[] | Promise<readonly RejectedResource[]> {
    const size = change.upserts.length + change.removed.length
    return size <= MAX_RESOURCES_PER_STEP ? this.apply(change) : this.#applyLarge(change)
  }

  /** Takes already decoded values, as a local file holds them. */
  put(values: { readonly workloads?: readonly Workload[]; readonly services?: readonly Service[] }): void {
    const touched: Touched = { workloads: [], services: [] }
    for (const service of values.services ?? []) this.#putService(service, touched)
    for (const workload of values.workloads ?? []) this.#putWorkload(workload, touched)
    this.#announce(touched)
  }

  subscribe(listener: (change: WorkloadStoreChange) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  workloads(): IterableIterator<Workload> {
    return this.#workloads.values()
  }

  services(): IterableIterator<Service> {
    return this.#services.values()
  }

  workload(uid: string): Workload | undefined {
    return this.#workloads.get(uid)
  }

  /** Among workloads sharing an address: captured pods, then pods, then captured ones, then any. */
  workloadByIp(network: string, ip: Ip): Workload | undefined {
    return bestOf(this.#byIp.all(network, ip), (workload) => [
      Number(workload.uid.includes('//Pod/')),
      Number(workload.protocol === 'HBONE'),
    ])
  }

  workloadByHostname(namespace: string, hostname: string): Workload | undefined {
    return this.#byHostname.get(`${namespace}/${hostname}`)?.values().next().value
  }

  service(key: ServiceKey): Service | undefined {
    return this.#services.get(key)
  }

  serviceByVip(network: string, ip: Ip, clientNamespace: string): Service | undefined {
    return this.#vips.find(network, ip, clientNamespace)
  }

  serviceByHostname(hostname: string, clientNamespace: string): Service | undefined {
    return bestOf(this.#servicesByHostname.get(hostname) ?? [], (service) =>
      isVisible(service, clientNamespace)
        ? [
            Number(service.namespace === clientNamespace),
            Number(service.canonical),
            Number(service.namespace === this.#preferredNamespace),
          ]
        : undefined,
    )
  }

  /** All services of an address, whoever may see them; ranges only count when no exact address does. */
  servicesByVip(network: string, ip: Ip): readonly Service[] {
    return this.#vips.all(network, ip)
  }

  /** All services of a hostname, whoever may see them. */
  servicesByHostname(hostname: string): readonly Service[] {
    return [...(this.#servicesByHostname.get(hostname) ?? [])]
  }

  /** Workloads that serve the service and that its health policy lets be chosen. */
  usableEndpoints(service: Service): readonly Endpoint[] {
    return this.#endpoints.usable(serviceKey(service), service.loadBalancing.healthPolicy)
  }

  endpoint(service: Service, workloadUid: string): Endpoint | undefined {
    return this.#endpoints.find(serviceKey(service), workloadUid)
  }

  /** Endpoints that wait for a service not yet received. */
  stagedEndpoints(): ReadonlyMap<ServiceKey, readonly Endpoint[]> {
    return this.#endpoints.without(this.#services)
  }

  /** The workload of a pod of this node, if it has arrived. */
  localWorkload(ref: LocalWorkloadRef): Workload | undefined {
    return this.#local.get(localKey(ref))?.values().next().value
  }

  /** The workload of a pod of this node, now or within `timeoutMs`; undefined when it does not come. */
  async waitForLocalWorkload(
    ref: LocalWorkloadRef,
    options: { readonly timeoutMs?: number | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Workload | undefined> {
    const present = this.localWorkload(ref)
    if (present !== undefined) return present
    const { promise, resolve } = Promise.withResolvers<Workload | undefined>()
    using _subscription = this.subscribe(() => {
      const arrived = this.localWorkload(ref)
      if (arrived !== undefined) resolve(arrived)
    })
    using _timer = this.#clock.after(options.timeoutMs ?? LOCAL_WORKLOAD_WAIT_MS, () => resolve(undefined))
    return await abortable(promise, options.signal)
  }

  async #applyLarge(change: ResourceChange): Promise<readonly RejectedResource[]> {
    const slices = new TimeSlices(SLICE_MS)
    const rejected: RejectedResource[] = []
    const services = new Map<ServiceKey, Service>()
    const workloads = new Map<string, Workload>()
    for (const resource of change.upserts) {
      const address = readAddress(resource, rejected)
      if (address?.kind === 'workload') workloads.set(address.workload.uid, address.workload)
      else if (address !== undefined) services.set(serviceKey(address.service), address.service)
      if (slices.isOver) await slices.next()
    }
    const leaving = new Set(change.removed.filter((name) => !services.has(name) && !workloads.has(name)))
    let touched: Touched = { workloads: [], services: [] }
    const endPiece = async (): Promise<void> => {
      this.#announce(touched)
      touched = { workloads: [], services: [] }
      await slices.next()
    }
    for (const service of services.values()) {
      for (const { network, ip } of service.vips) {
        for (const other of this.#vips.named(network, ip)) {
          if (leaving.has(serviceKey(other))) this.#removeService(serviceKey(other), touched)
        }
      }
      this.#putService(service, touched)
      if (slices.isOver) await endPiece()
    }
    for (const workload of workloads.values()) {
      for (const ip of workload.ips) {
        for (const { uid } of this.#byIp.all(workload.network, ip)) {
          if (leaving.has(uid)) this.#removeWorkload(uid, touched)
        }
      }
      this.#putWorkload(workload, touched)
      if (slices.isOver) await endPiece()
    }
    for (const name of leaving) {
      this.#removeNamed(name, touched)
      if (slices.isOver) await endPiece()
    }
    this.#announce(touched)
    return rejected
  }

  #putWorkload(workload: Workload, touched: Touched): void {
    this.#removeWorkload(workload.uid, touched)
    touched.workloads.push(workload.uid)
    this.#workloads.set(workload.uid, workload)
    // Addresses of host-network pods are the node's: indexing them would capture the node's traffic.
    if (workload.networkMode === 'Standard') {
      for (const ip of workload.ips) this.#byIp.add(workload.network, ip, workload)
    }
    if (workload.hostname !== '') addTo(this.#byHostname, `${workload.namespace}/${workload.hostname}`, workload)
    if (this.#nodeName === undefined || workload.node === this.#nodeName)
      addTo(this.#local, localKey(workload), workload)
    for (const [key, ports] of workload.services) {
      this.#endpoints.put(key, { workloadUid: workload.uid, ports, status: workload.status })
      touched.services.push(key)
    }
  }

  #removeWorkload(uid: string, touched: Touched): boolean {
    const old = this.#workloads.get(uid)
    if (old === undefined) return false
    const isOld = (held: Workload): boolean => held === old
    this.#workloads.delete(uid)
    touched.workloads.push(uid)
    for (const ip of old.ips) this.#byIp.remove(old.network, ip, old)
    if (old.hostname !== '') removeFrom(this.#byHostname, `${old.namespace}/${old.hostname}`, isOld)
    removeFrom(this.#local, localKey(old), isOld)
    for (const key of old.services.keys()) {
      this.#endpoints.remove(key, uid)
      touched.services.push(key)
    }
    return true
  }

  #putService(service: Service, touched: Touched): void {
    const key = serviceKey(service)
    this.#removeService(key, touched)
    this.#services.set(key, service)
    addTo(this.#servicesByHostname, service.hostname, service)
    this.#vips.add(service)
    touched.services.push(key)
  }

  #removeService(key: ServiceKey, touched: Touched): void {
    const old = this.#services.get(key)
    if (old === undefined) return
    this.#services.delete(key)
    removeFrom(this.#servicesByHostname, old.hostname, (held) => held === old)
    this.#vips.remove(old)
    touched.services.push(key)
  }

  /** A removed name does not say what it was: a uid is tried first, then `namespace/hostname`; unknown ones are nothing. */
  #removeNamed(name: string, touched: Touched): void {
    if (!this.#removeWorkload(name, touched)) this.#removeService(name, touched)
  }

  #announce(touched: Touched): void {
    if (touched.workloads.length === 0 && touched.services.length === 0) return
    const change = { workloads: [...new Set(touched.workloads)], services: [...new Set(touched.services)] }
    for (const listener of [...this.#listeners]) listener(change)
  }
}

interface Touched {
  readonly workloads: string[]
  readonly services: ServiceKey[]
}

function readAddress({ name, bytes }: ReceivedResource, rejected: RejectedResource[]): Address | undefined {
  const decoded = decodeAddress(bytes, name)
  if (decoded.ok) return decoded.value
  rejected.push({ name, reason: decoded.rejection.message })
  return undefined
}

// Kubernetes names hold no slash, so the joined key is unambiguous.
function localKey(ref: LocalWorkloadRef): string {
  return `${ref.namespace}/${ref.serviceAccount}/${ref.name}`
}
