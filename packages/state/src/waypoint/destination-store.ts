import type { RejectedResource, ResourceChange } from '../resources.types.ts'
import type { ServiceKey } from '../workload.types.ts'
import { decodeDestination, destinationName } from './decode-destination.ts'
import { decodeSettings } from './decode-settings.ts'
import type { Destination, ServiceDestination, WaypointSettings, WorkloadDestination } from './destination.types.ts'
import type { DestinationLookup } from './find-destination.ts'

/** What one change touched; names of destinations that may since be gone. */
export interface DestinationStoreChange {
  readonly destinations: readonly string[]
  readonly settings: boolean
}

/** What a waypoint serves and how it is set. */
export class DestinationStore implements DestinationLookup {
  readonly #destinations = new Map<string, Destination>()
  readonly #listeners = new Set<(change: DestinationStoreChange) => void>()
  #settings: { readonly name: string; readonly value: WaypointSettings } | undefined

  /** Takes an xDS change for `ambit.waypoint.Destination`; what is refused keeps its last good version, or is not served. */
  applyDestinations(change: ResourceChange): readonly RejectedResource[] {
    const rejected: RejectedResource[] = []
    const touched = new Set<string>()
    for (const name of change.removed) if (this.#destinations.delete(name)) touched.add(name)
    for (const { name, bytes } of change.upserts) {
      const decoded = decodeDestination(bytes)
      if (!decoded.ok) rejected.push({ name, reason: decoded.rejection.message })
      else if (destinationName(decoded.value) !== name) {
        rejected.push({ name, reason: `content is about ${destinationName(decoded.value)}` })
      } else {
        this.#destinations.set(name, decoded.value)
        touched.add(name)
      }
    }
    if (touched.size > 0) this.#announce({ destinations: [...touched], settings: false })
    return rejected
  }

  /** Takes an xDS change for `ambit.waypoint.Settings`, of which there is one; what is refused keeps its last good version. */
  applySettings(change: ResourceChange): readonly RejectedResource[] {
    const rejected: RejectedResource[] = []
    const before = this.#settings
    if (before !== undefined && change.removed.includes(before.name)) this.#settings = undefined
    for (const { name, bytes } of change.upserts) {
      const decoded = decodeSettings(bytes)
      if (!decoded.ok) rejected.push({ name, reason: decoded.rejection.message })
      else if (`${decoded.value.namespace}/${decoded.value.gateway}` !== name) {
        rejected.push({ name, reason: `content is about ${decoded.value.namespace}/${decoded.value.gateway}` })
      } else this.#settings = { name, value: decoded.value }
    }
    if (this.#settings !== before) this.#announce({ destinations: [], settings: true })
    return rejected
  }

  subscribe(listener: (change: DestinationStoreChange) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** Undefined until they arrive. */
  get settings(): WaypointSettings | undefined {
    return this.#settings?.value
  }

  destinations(): IterableIterator<Destination> {
    return this.#destinations.values()
  }

  service(key: ServiceKey): ServiceDestination | undefined {
    const found = this.#destinations.get(key)
    return found?.kind === 'service' ? found : undefined
  }

  workload(uid: string): WorkloadDestination | undefined {
    const found = this.#destinations.get(uid)
    return found?.kind === 'workload' ? found : undefined
  }

  #announce(change: DestinationStoreChange): void {
    for (const listener of [...this.#listeners]) listener(change)
  }
}
