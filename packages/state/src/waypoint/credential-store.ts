import type { RejectedResource, ResourceChange } from '../resources.types.ts'
import { decodeCredential } from './decode-credential.ts'
import type { Credential } from './listener.types.ts'

/** Keys and certificates of a gateway's listeners, by the names listeners know them by. */
export class CredentialStore {
  readonly #byName = new Map<string, Credential>()
  readonly #listeners = new Set<(names: readonly string[]) => void>()

  /** Takes an xDS change for `ambit.waypoint.Credential`; what is refused keeps its last good version. */
  apply(change: ResourceChange): readonly RejectedResource[] {
    const rejected: RejectedResource[] = []
    const touched = change.removed.filter((name) => this.#byName.delete(name))
    for (const { name, bytes } of change.upserts) {
      const decoded = decodeCredential(bytes)
      if (decoded.ok) {
        this.#byName.set(name, decoded.value)
        touched.push(name)
      } else rejected.push({ name, reason: decoded.rejection.message })
    }
    if (touched.length > 0) for (const listener of [...this.#listeners]) listener(touched)
    return rejected
  }

  get(name: string): Credential | undefined {
    return this.#byName.get(name)
  }

  names(): IterableIterator<string> {
    return this.#byName.keys()
  }

  /** Called with what changed or is gone. */
  subscribe(listener: (names: readonly string[]) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }
}
