import { isDeepStrictEqual } from 'node:util'
import { TYPE_URLS } from '@ambit/api'
import type { ResourceInput, ResourceTable } from '@ambit/xds'
import type { GatewayClass, MeshContext, Namespace, Node } from '../domain.types.ts'
import { MultiMap } from './collection.ts'
import { compileUnit, type UnitResult } from './compile-unit.ts'
import { allUnits, touchedUnits, unitsOfNamespace } from './invalidation.ts'
import { type InputKind, type Inputs, MeshState } from './mesh-state.ts'
import type { Unit } from './units.ts'
import { classKey, gatewayKey, nodeKey, targetKey } from './waypoint-lookup.ts'

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
  readonly #table: Pick<ResourceTable, 'update'>
  readonly #dirty = new Set<Unit>()
  readonly #compiled = new Map<Unit, Compiled>()
  readonly #users = new MultiMap()
  /** Resource name to the unit it came from, for each type. */
  readonly #owners = { addresses: new Map<string, Unit>(), policies: new Map<string, Unit>() }
  #onDirty: () => void = () => {}
  #onStatus: StatusListener = () => {}
  #onError: (unit: Unit, error: unknown) => void = () => {}

  constructor(mesh: MeshContext, table: Pick<ResourceTable, 'update'>) {
    this.state = new MeshState(mesh)
    this.#table = table
  }

  /** How many units wait for the next flush. */
  get pending(): number {
    return this.#dirty.size
  }

  onDirty(listener: () => void): void {
    this.#onDirty = listener
  }

  onStatus(listener: StatusListener): void {
    this.#onStatus = listener
  }

  /** Told of units that could not be compiled; what they contributed before stays in force. */
  onError(listener: (unit: Unit, error: unknown) => void): void {
    this.#onError = listener
  }

  /** Results in force, for status of all objects when this replica becomes leader. */
  *results(): Iterable<readonly [Unit, UnitResult]> {
    for (const [key, { result }] of this.#compiled) yield [key, result]
  }

  put<K extends InputKind>(kind: K, namespace: string, name: string, after: Inputs[K] | undefined): void {
    const before = this.state.put(kind, namespace, name, after)
    if (kind === 'gateways') this.#touch(this.#users.get(gatewayKey(namespace, name)))
    if (kind === 'services' || kind === 'serviceEntries') this.#touch(this.#users.get(targetKey(kind, namespace, name)))
    if (kind !== 'gateways') this.#touch(touchedUnits(this.state, kind, { namespace, name, before, after }))
  }

  putGatewayClass(name: string, value: GatewayClass | undefined): void {
    setOrDelete(this.state.gatewayClasses, name, value)
    this.#touch(this.#users.get(classKey(name)))
  }

  putNamespace(name: string, value: Namespace | undefined): void {
    const before = this.state.namespaces.get(name)
    setOrDelete(this.state.namespaces, name, value)
    if (!isDeepStrictEqual(before, value)) this.#touch(unitsOfNamespace(this.state, name))
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
   * whole, so that a workload never names a policy proxies were not sent, and hostnames move at once.
   */
  flush(maxWorkloads: number = Number.POSITIVE_INFINITY): number {
    const units: Unit[] = []
    const workloads: Unit[] = []
    for (const key of this.#dirty) (isWorkloadUnit(key) ? workloads : units).push(key)
    for (const key of workloads.length <= maxWorkloads ? workloads : workloads.slice(0, maxWorkloads)) units.push(key)
    for (const key of units) this.#dirty.delete(key)
    const addresses = new Differences(this.#owners.addresses)
    const policies = new Differences(this.#owners.policies)
    for (const key of units) {
      const before = this.#compiled.get(key)
      const after = this.#tryCompile(key, before)
      addresses.add(key, before?.result.addresses ?? [], after?.addresses ?? [])
      policies.add(key, before?.result.policies ?? [], after?.policies ?? [])
      if (hasStatus(before?.result) || hasStatus(after)) this.#onStatus(key, after)
    }
    // A workload never names a policy that proxies have not been sent before.
    this.#table.update(TYPE_URLS.authorization, policies.change())
    this.#table.update(TYPE_URLS.address, addresses.change())
    return units.length
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
    const empty = result.addresses.length === 0 && result.policies.length === 0 && !hasStatus(result)
    if (empty && used.size === 0) this.#compiled.delete(key)
    else this.#compiled.set(key, { result, used: [...used] })
    return empty ? undefined : result
  }

  #touch(units: Iterable<Unit>): void {
    const before = this.#dirty.size
    for (const key of units) this.#dirty.add(key)
    if (before === 0 && this.#dirty.size > 0) this.#onDirty()
  }
}

function isWorkloadUnit(key: Unit): boolean {
  return key.startsWith('pod/') || key.startsWith('workloadEntry/') || key.startsWith('slice/')
}

function hasStatus(result: UnitResult | undefined): boolean {
  const { waypoint, waypointMissing, policyCondition, targetCondition } = result ?? {}
  return [waypoint, waypointMissing, policyCondition, targetCondition].some((value) => value !== undefined)
}

function setOrDelete<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

/** Collects what units add and drop; a resource that moves from one unit to another is no removal. */
class Differences {
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

  change(): { readonly upserts: readonly ResourceInput[]; readonly removed: readonly string[] } {
    return { upserts: [...this.#upserts.values()], removed: [...this.#removed] }
  }
}
