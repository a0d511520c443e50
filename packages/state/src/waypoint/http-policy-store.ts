import type { RejectedResource, ResourceChange } from '../resources.types.ts'
import { decodeHttpAuthorization } from './decode-http-authorization.ts'
import type { HttpAuthorization } from './http-authorization.types.ts'

/** Policies for requests by their names, `namespace/name`. */
export interface HttpPolicySource {
  get(name: string): HttpAuthorization | undefined
  /** Called once after every change that altered a policy. */
  subscribe(listener: () => void): Disposable
}

interface Held {
  readonly policy: HttpAuthorization
  /** True for the denial that stands for a policy that could not be read; a good version replaces it. */
  readonly standIn: boolean
}

/** Policies for requests as the control plane sent them. */
export class HttpPolicyStore implements HttpPolicySource {
  readonly #byName = new Map<string, Held>()
  readonly #listeners = new Set<() => void>()

  /**
   * Takes an xDS change for `ambit.waypoint.HttpAuthorization`. A policy that is refused keeps its last good version; when there is none, a
   * denial of everything takes the place.
   */
  apply(change: ResourceChange): readonly RejectedResource[] {
    const rejected: RejectedResource[] = []
    let changed = false
    for (const name of change.removed) changed = this.#byName.delete(name) || changed
    for (const { name, bytes } of change.upserts) {
      const decoded = decodeHttpAuthorization(name, bytes)
      if (decoded.ok) {
        this.#byName.set(name, { policy: decoded.value, standIn: false })
        changed = true
        continue
      }
      rejected.push({ name, reason: decoded.rejection.message })
      const held = this.#byName.get(name)
      if (held !== undefined && !held.standIn) continue
      this.#byName.set(name, { policy: decoded.standIn, standIn: true })
      changed = true
    }
    if (changed) for (const listener of [...this.#listeners]) listener()
    return rejected
  }

  get(name: string): HttpAuthorization | undefined {
    return this.#byName.get(name)?.policy
  }

  *policies(): IterableIterator<HttpAuthorization> {
    for (const { policy } of this.#byName.values()) yield policy
  }

  subscribe(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }
}
