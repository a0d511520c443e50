import { type ResourceDefinition, storageKey } from './resource-definition.ts'

/** Which resources are served now; CRDs come and go. */
export class ResourceRegistry {
  readonly #byKey = new Map<string, ResourceDefinition>()
  readonly #listeners = new Set<() => void>()
  #generation = 0

  constructor(builtin: readonly ResourceDefinition[]) {
    for (const definition of builtin) this.#byKey.set(storageKey(definition), definition)
  }

  /** Changes with every change; part of the OpenAPI hash. */
  get generation(): number {
    return this.#generation
  }

  find(group: string, version: string, resource: string): ResourceDefinition | undefined {
    const definition = this.#byKey.get(`${group}/${resource}`)
    return definition?.versions.includes(version) === true ? definition : undefined
  }

  /** Any version. */
  findResource(group: string, resource: string): ResourceDefinition | undefined {
    return this.#byKey.get(`${group}/${resource}`)
  }

  findKind(group: string, kind: string): ResourceDefinition | undefined {
    for (const definition of this.#byKey.values())
      if (definition.group === group && definition.kind === kind) return definition
    return undefined
  }

  all(): readonly ResourceDefinition[] {
    return [...this.#byKey.values()]
  }

  /** Groups in the order discovery shows them, the core group first. */
  groups(): readonly string[] {
    return [...new Set(this.all().map((definition) => definition.group))]
  }

  /** Versions served in a group, preferred first. */
  versionsOf(group: string): readonly string[] {
    const versions = new Set<string>()
    for (const definition of this.all())
      if (definition.group === group) for (const version of definition.versions) versions.add(version)
    return [...versions].sort(compareVersions)
  }

  set(definition: ResourceDefinition): void {
    this.#byKey.set(storageKey(definition), definition)
    this.#changed()
  }

  delete(group: string, resource: string): void {
    if (this.#byKey.delete(`${group}/${resource}`)) this.#changed()
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  #changed(): void {
    this.#generation++
    for (const listener of this.#listeners) listener()
  }
}

/** Kubernetes' version order: GA before beta before alpha, higher numbers first. */
export function compareVersions(a: string, b: string): number {
  const rank = (version: string): readonly number[] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
    if (match === null) return [3, 0, 0]
    const stage = match[2] === undefined ? 0 : match[2] === 'beta' ? 1 : 2
    return [stage, -Number(match[1]), -Number(match[3] ?? 0)]
  }
  const left = rank(a)
  const right = rank(b)
  for (const [index, value] of left.entries()) if (value !== right[index]) return value - (right[index] ?? 0)
  return a < b ? -1 : a > b ? 1 : 0
}
