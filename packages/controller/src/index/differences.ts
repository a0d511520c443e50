import type { ResourceInput } from '@ambit/xds'
import type { Unit } from './units.ts'

/** Collects what units add and drop; a resource that moves from one unit to another is no removal. */
export class Differences {
  readonly #owners: Map<string, Unit>
  readonly #upserts = new Map<string, ResourceInput>()
  readonly #removed = new Set<string>()

  constructor(owners: Map<string, Unit>) {
    this.#owners = owners
  }

  add(key: Unit, before: readonly ResourceInput[], after: readonly ResourceInput[]): void {
    for (const { name } of before) {
      if (this.#owners.get(name) !== key) continue
      this.#owners.delete(name)
      this.#removed.add(name)
    }
    for (const resource of after) {
      this.#owners.set(resource.name, key)
      this.#upserts.set(resource.name, resource)
      this.#removed.delete(resource.name)
    }
  }

  get upserts(): readonly ResourceInput[] {
    return [...this.#upserts.values()]
  }

  get removed(): readonly string[] {
    return [...this.#removed]
  }
}
