import { isDeepStrictEqual } from 'node:util'
import type { ResourceTable } from '@ambit/xds'
import type { GatewayClass, MeshContext, Namespace, Node } from '../domain.types.ts'
import { AfterBacklog } from './after-backlog.ts'
import { MultiMap } from './collection.ts'
import { compileUnit } from './compile-unit.ts'
import { allUnits, touchedUnits, unitsOfNamespace } from './invalidation.ts'
import { classKey, namespaceKey, nodeKey } from './keys.ts'
import { type InputKind, type Inputs, MeshState } from './mesh-state.ts'
import { hasResources, Publication } from './publication.ts'
import { touchedKeys } from './touched-keys.ts'
import type { UnitResult } from './unit-result.types.ts'
import { type Unit, type UnitKind, unit } from './units.ts'

interface Compiled {
  readonly result: UnitResult
  readonly used: readonly string[]
}

export type StatusListener = (unit: Unit, result: UnitResult | undefined) => void

/**
 * Turns the cluster into what proxies are told, recomputing only what a change touches. Changes are collected by
 * `put…`; `flush` compiles them and hands the differences to the table.
 */
export class MeshIndex {
  readonly state: MeshState
  readonly #publication: Publication
  readonly #dirty = new Set<Unit>()
  readonly #compiled = new Map<Unit, Compiled>()
  readonly #users = new MultiMap()
  /** Units whose status is to be told. */
  readonly #unsaid = new AfterBacklog()
  /** Units of credentials whose users changed in this flush. */
  readonly #credentials = new Set<Unit>()
  /** Since the start. */
  #compiledWorkloads = 0
  #onDirty: () => void = () => {}
  readonly #statusListeners = new Set<StatusListener>()
  #onCredentials: (names: Iterable<string>) => void = () => {}
  #onError: (unit: Unit, error: unknown) => void = () => {}

  constructor(mesh: MeshContext, table: Pick<ResourceTable, 'update'>) {
    this.state = new MeshState(mesh)
    this.#publication = new Publication(table)
  }

  /** How many units wait for the next flush. */
  get pending(): number {
    return this.#dirty.size
  }

  onDirty(listener: () => void): void {
    this.#onDirty = listener
  }

  onStatus(listener: StatusListener): Disposable {
    this.#statusListeners.add(listener)
    return { [Symbol.dispose]: () => void this.#statusListeners.delete(listener) }
  }

  /** Told of all Secrets that are named, whenever that changes. */
  onCredentials(listener: (names: Iterable<string>) => void): void {
    this.#onCredentials = listener
    listener(this.state.links.credentialUsers.keys())
  }

  /** Told of units that could not be compiled, what they contributed before stays in force, or whose status could not be told. */
  onError(listener: (unit: Unit, error: unknown) => void): void {
    this.#onError = listener
  }

  /** Results in force, for status of all objects when this replica becomes leader. */
  *results(): Iterable<readonly [Unit, UnitResult]> {
    for (const [key, { result }] of this.#compiled) yield [key, result]
  }

  /** What the unit contributes now. */
  resultOf(key: Unit): UnitResult | undefined {
    return this.#compiled.get(key)?.result
  }

  put<K extends InputKind>(kind: K, namespace: string, name: string, after: Inputs[K] | undefined): void {
    const before = this.state.put(kind, namespace, name, after)
    if (isDeepStrictEqual(before, after)) {
      // Most likely a status was written: nobody else is concerned, but if it was ours somebody may have changed it.
      const own = STATUS_UNITS[kind]
      if (own !== undefined) this.#touch([unit(own, namespace, name)])
      return
    }
    const change = { namespace, name, before, after }
    for (const key of touchedKeys(this.state, kind, change)) this.#touch(this.#users.get(key))
    this.#touch(touchedUnits(this.state, kind, change))
  }

  putGatewayClass(name: string, value: GatewayClass | undefined): void {
    const before = this.state.gatewayClasses.get(name)
    setOrDelete(this.state.gatewayClasses, name, value)
    if (!isDeepStrictEqual(before, value)) this.#touch(this.#users.get(classKey(name)))
  }

  putNamespace(name: string, value: Namespace | undefined): void {
    const before = this.state.namespaces.get(name)
    setOrDelete(this.state.namespaces, name, value)
    if (isDeepStrictEqual(before, value)) return
    this.#touch(unitsOfNamespace(this.state, name))
    this.#touch(this.#users.get(namespaceKey(name)))
  }

  putNode(name: string, value: Node | undefined): void {
    const before = this.state.nodes.get(name)
    setOrDelete(this.state.nodes, name, value)
    // Nodes report every few seconds; only where they are matters.
    if (!isDeepStrictEqual(before, value)) this.#touch(this.#users.get(nodeKey(name)))
  }

  setMesh(mesh: MeshContext): void {
    if (isDeepStrictEqual(mesh, this.state.mesh)) return
    this.state.mesh = mesh
    this.#touch(allUnits(this.state))
  }

  /**
   * Compiles what is dirty; answers how many units that was. At most `maxWorkloads` workloads, the rest stays pending:
   * a change that touches all of a large mesh must not hold up everything else. Policies and services come first and
   * whole, so that a workload never names a policy proxies were not sent, and hostnames move at once. Policies go, and
   * statuses are told, when also the workloads that wait are published.
   */
  flush(maxWorkloads: number = Number.POSITIVE_INFINITY): number {
    const units: Unit[] = []
    const workloads: Unit[] = []
    for (const key of this.#dirty) (isWorkloadUnit(key) ? workloads : units).push(key)
    const now = workloads.length <= maxWorkloads ? workloads : workloads.slice(0, maxWorkloads)
    for (const key of now) units.push(key)
    for (const key of units) this.#dirty.delete(key)
    this.#compiledWorkloads += now.length
    const backlog = this.#compiledWorkloads + workloads.length - now.length
    const publication = this.#publication.begin()
    const compile = (key: Unit): void => {
      const before = this.#compiled.get(key)
      const after = this.#tryCompile(key, before)
      publication.add(key, before?.result, after)
      if (hasStatus(before?.result) || hasStatus(after)) this.#unsaid.hold(key, backlog)
    }
    for (const key of units) compile(key)
    const credentialsChanged = this.#credentials.size > 0
    // Who may see a credential is known when all who name it are compiled.
    for (const key of this.#credentials) compile(key)
    this.#credentials.clear()
    publication.publish({ compiled: this.#compiledWorkloads, backlog })
    if (credentialsChanged) this.#onCredentials(this.state.links.credentialUsers.keys())
    for (const key of this.#unsaid.take(this.#compiledWorkloads)) this.#say(key)
    return units.length
  }

  #say(key: Unit): void {
    const result = this.#compiled.get(key)?.result
    for (const listener of this.#statusListeners)
      try {
        listener(key, hasStatus(result) ? result : undefined)
      } catch (error) {
        this.#onError(key, error)
      }
  }

  #tryCompile(key: Unit, before: Compiled | undefined): UnitResult | undefined {
    try {
      return this.#compile(key, before)
    } catch (error) {
      this.#onError(key, error)
      return before?.result
    }
  }

  #compile(key: Unit, before: Compiled | undefined): UnitResult | undefined {
    const used = new Set<string>()
    const result = compileUnit(this.state, key, (use) => used.add(use))
    for (const use of before?.used ?? []) if (!used.has(use)) this.#users.delete(use, key)
    for (const use of used) this.#users.add(use, key)
    this.#noteCredentials(key, before?.result.namesCredentials ?? [], result.namesCredentials ?? [])
    const empty = !hasResources(result) && !hasStatus(result)
    if (empty && used.size === 0) this.#compiled.delete(key)
    else this.#compiled.set(key, { result, used: [...used] })
    return empty ? undefined : result
  }

  #noteCredentials(key: Unit, before: readonly string[], after: readonly string[]): void {
    const { credentialUsers } = this.state.links
    for (const [names, others, verb] of [
      [before, after, 'delete'],
      [after, before, 'add'],
    ] as const)
      for (const name of names) {
        if (others.includes(name)) continue
        credentialUsers[verb](name, key)
        this.#credentials.add(`credential/${name}`)
      }
  }

  #touch(units: Iterable<Unit>): void {
    const before = this.#dirty.size
    for (const key of units) this.#dirty.add(key)
    if (before === 0 && this.#dirty.size > 0) this.#onDirty()
  }
}

/** Kinds whose status is compared with what it should be whenever the object was written. A route's status is most of what happens to it. */
const STATUS_UNITS: Readonly<Partial<Record<InputKind, UnitKind>>> = {
  services: 'service',
  serviceEntries: 'serviceEntry',
  workloadEntries: 'workloadEntry',
  policies: 'policy',
  virtualServices: 'virtualService',
  destinationRules: 'destinationRule',
}

function isWorkloadUnit(key: Unit): boolean {
  return key.startsWith('pod/') || key.startsWith('workloadEntry/') || key.startsWith('slice/')
}

function hasStatus(result: UnitResult | undefined): boolean {
  const {
    waypoint,
    waypointMissing,
    withoutWaypoint,
    policyCondition,
    targetCondition,
    routeParents = [],
    listeners,
    ruleConditions,
  } = result ?? {}
  const conditions = [
    waypoint,
    waypointMissing,
    withoutWaypoint,
    policyCondition,
    targetCondition,
    listeners,
    ruleConditions,
  ]
  return routeParents.length > 0 || conditions.some((value) => value !== undefined)
}

function setOrDelete<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}
