import { contentVersion } from './content-version.ts'
import type { ResourceChange, ResourceSource, XdsResource } from './resource.types.ts'

export interface ResourceInput {
  readonly name: string
  readonly aliases?: readonly string[] | undefined
  readonly bytes: Uint8Array
}

interface TypeTable {
  readonly byName: Map<string, XdsResource>
  /** Alias to the names that carry it; the first is meant. */
  readonly byAlias: Map<string, Set<string>>
}

/** Resources in memory, versioned by content; an update that changes nothing tells nobody. */
export class ResourceTable implements ResourceSource {
  readonly #types = new Map<string, TypeTable>()
  readonly #listeners = new Set<(typeUrl: string, change: ResourceChange) => void>()

  update(
    typeUrl: string,
    change: { readonly upserts?: readonly ResourceInput[]; readonly removed?: readonly string[] },
  ): void {
    const table = this.#table(typeUrl)
    const removed = (change.removed ?? []).filter((name) => remove(table, name))
    const upserts: XdsResource[] = []
    for (const { name, aliases = [], bytes } of change.upserts ?? []) {
      const version = contentVersion(bytes)
      const old = table.byName.get(name)
      if (old?.version === version && sameList(old.aliases, aliases)) continue
      remove(table, name)
      const resource = { name, version, aliases, bytes }
      table.byName.set(name, resource)
      for (const alias of aliases) {
        const names = table.byAlias.get(alias)
        if (names === undefined) table.byAlias.set(alias, new Set([name]))
        else names.add(name)
      }
      upserts.push(resource)
    }
    if (upserts.length + removed.length === 0) return
    for (const listener of [...this.#listeners]) listener(typeUrl, { upserts, removed })
  }

  /** Makes the type consist of exactly these resources. */
  replace(typeUrl: string, resources: readonly ResourceInput[]): void {
    const names = new Set(resources.map(({ name }) => name))
    const removed = [...this.#table(typeUrl).byName.keys()].filter((name) => !names.has(name))
    this.update(typeUrl, { upserts: resources, removed })
  }

  snapshot(typeUrl: string): ReadonlyMap<string, XdsResource> {
    return this.#table(typeUrl).byName
  }

  lookup(typeUrl: string, nameOrAlias: string): XdsResource | undefined {
    const { byName, byAlias } = this.#table(typeUrl)
    const named = byName.get(nameOrAlias)
    if (named !== undefined) return named
    const [first] = byAlias.get(nameOrAlias) ?? []
    return first === undefined ? undefined : byName.get(first)
  }

  subscribe(listener: (typeUrl: string, change: ResourceChange) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  #table(typeUrl: string): TypeTable {
    let table = this.#types.get(typeUrl)
    if (table === undefined) {
      table = { byName: new Map(), byAlias: new Map() }
      this.#types.set(typeUrl, table)
    }
    return table
  }
}

function remove({ byName, byAlias }: TypeTable, name: string): boolean {
  const old = byName.get(name)
  if (old === undefined) return false
  byName.delete(name)
  for (const alias of old.aliases) {
    const names = byAlias.get(alias)
    names?.delete(name)
    if (names?.size === 0) byAlias.delete(alias)
  }
  return true
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index])
}
