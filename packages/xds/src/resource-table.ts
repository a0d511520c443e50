import { contentVersion } from './content-version.ts'
import type { Audience, ResourceChange, ResourceSource, XdsResource } from './resource.types.ts'

export interface ResourceInput {
  readonly name: string
  readonly aliases?: readonly string[] | undefined
  readonly belongsTo?: readonly string[] | undefined
  /** Undefined: everybody may see it; empty: nobody. */
  readonly audience?: readonly string[] | undefined
  readonly bytes: Uint8Array
}

interface TypeTable {
  readonly byName: Map<string, XdsResource>
  /** Alias to the names that carry it; the first is meant. */
  readonly byAlias: Map<string, Set<string>>
  /** Owner to the names of what belongs to it. */
  readonly byOwner: Map<string, Set<string>>
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
    const formerAudiences = new Map<string, readonly string[]>()
    const noted = new Set<string>()
    const noteAudience = (name: string): void => {
      // Removed and put again in one update, it is known to those who knew it before both.
      if (noted.has(name)) return
      noted.add(name)
      const old = table.byName.get(name)
      const audience = old === undefined ? [] : old.audience
      if (audience !== undefined) formerAudiences.set(name, audience)
    }
    const removed = (change.removed ?? []).filter((name) => {
      noteAudience(name)
      return remove(table, name)
    })
    const upserts: XdsResource[] = []
    for (const { name, aliases = [], belongsTo = [], audience, bytes } of change.upserts ?? []) {
      const version = contentVersion(bytes)
      const old = table.byName.get(name)
      if (
        old?.version === version &&
        sameList(old.aliases, aliases) &&
        sameList(old.belongsTo ?? [], belongsTo) &&
        sameAudience(old.audience, audience)
      )
        continue
      if (old !== undefined || audience !== undefined) noteAudience(name)
      remove(table, name)
      const resource: XdsResource = { name, version, aliases, belongsTo, bytes, ...(audience && { audience }) }
      table.byName.set(name, resource)
      for (const alias of aliases) index(table.byAlias, alias, name)
      for (const owner of belongsTo) index(table.byOwner, owner, name)
      upserts.push(resource)
    }
    if (upserts.length + removed.length === 0) return
    for (const listener of [...this.#listeners]) listener(typeUrl, { upserts, removed, formerAudiences })
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

  *related(typeUrl: string, resource: XdsResource): Iterable<XdsResource> {
    const { byName, byOwner } = this.#table(typeUrl)
    for (const name of byOwner.get(resource.name) ?? []) {
      const found = byName.get(name)
      if (found !== undefined) yield found
    }
  }

  subscribe(listener: (typeUrl: string, change: ResourceChange) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  #table(typeUrl: string): TypeTable {
    let table = this.#types.get(typeUrl)
    if (table === undefined) {
      table = { byName: new Map(), byAlias: new Map(), byOwner: new Map() }
      this.#types.set(typeUrl, table)
    }
    return table
  }
}

function remove({ byName, byAlias, byOwner }: TypeTable, name: string): boolean {
  const old = byName.get(name)
  if (old === undefined) return false
  byName.delete(name)
  for (const alias of old.aliases) unindex(byAlias, alias, name)
  for (const owner of old.belongsTo ?? []) unindex(byOwner, owner, name)
  return true
}

function index(to: Map<string, Set<string>>, key: string, name: string): void {
  const names = to.get(key)
  if (names === undefined) to.set(key, new Set([name]))
  else names.add(name)
}

function unindex(from: Map<string, Set<string>>, key: string, name: string): void {
  const names = from.get(key)
  names?.delete(name)
  if (names?.size === 0) from.delete(key)
}

function sameAudience(a: Audience, b: Audience): boolean {
  return a === b || (a !== undefined && b !== undefined && sameList(a, b))
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index])
}
