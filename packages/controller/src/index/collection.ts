import type { Named } from '../domain.types.ts'

/** Decoded objects of one kind by namespace and name. */
export class Collection<T extends Named> implements Iterable<T> {
  readonly #byNamespace = new Map<string, Map<string, T>>()

  get(namespace: string, name: string): T | undefined {
    return this.#byNamespace.get(namespace)?.get(name)
  }

  in(namespace: string): Iterable<T> {
    return this.#byNamespace.get(namespace)?.values() ?? []
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const some of this.#byNamespace.values()) yield* some.values()
  }

  get size(): number {
    let size = 0
    for (const some of this.#byNamespace.values()) size += some.size
    return size
  }

  /** Puts or, without a value, removes; answers what was there. */
  set(namespace: string, name: string, value: T | undefined): T | undefined {
    const some = this.#byNamespace.get(namespace)
    const previous = some?.get(name)
    if (value !== undefined) {
      if (some === undefined) this.#byNamespace.set(namespace, new Map([[name, value]]))
      else some.set(name, value)
    } else if (some?.delete(name) === true && some.size === 0) {
      this.#byNamespace.delete(namespace)
    }
    return previous
  }
}

/** A key to many members, forgetting keys without any. */
export class MultiMap {
  readonly #members = new Map<string, Set<string>>()

  get(key: string): ReadonlySet<string> {
    return this.#members.get(key) ?? NONE
  }

  /** Those that have members. */
  keys(): Iterable<string> {
    return this.#members.keys()
  }

  add(key: string, member: string): void {
    const members = this.#members.get(key)
    if (members === undefined) this.#members.set(key, new Set([member]))
    else members.add(member)
  }

  delete(key: string, member: string): void {
    const members = this.#members.get(key)
    if (members?.delete(member) === true && members.size === 0) this.#members.delete(key)
  }
}

const NONE: ReadonlySet<string> = new Set()
