import type { Clock } from '@ambit/core'
import { KINDS, type KubeObject, type ResourceKind, type StatusWriter } from '@ambit/kube'
import type { PolicyCondition } from '../compile/policy-condition.ts'
import type { MeshIndex } from '../index/mesh-index.ts'
import type { UnitResult } from '../index/unit-result.types.ts'
import { partsOf, type Unit, type UnitKind } from '../index/units.ts'
import type { ClusterWatch, WatchedKind } from '../watch/watch-cluster.ts'
import { type Condition, conditionOf, conditionToWrite, saysAlready } from './condition.ts'
import { writeRouteStatus } from './route-status.ts'
import { WAYPOINT_BOUND, waypointCondition } from './waypoint-condition.ts'

const ZTUNNEL_ACCEPTED = 'ZtunnelAccepted'
const WAYPOINT_ACCEPTED = 'WaypointAccepted'
const WAYPOINT_MISSING = 'istio.io/WaypointMissing'
/** Ours: where traffic goes meanwhile. */
const WITHOUT_WAYPOINT = 'ambit.dev/WithoutWaypoint'

interface Target {
  readonly kind: ResourceKind
  readonly watched: WatchedKind
  readonly fieldManager: string
  /** Types of the conditions that are written as this field manager. */
  readonly types: readonly string[]
  /** Istio's own kinds say which generation a condition speaks of. */
  readonly observesGeneration: boolean
  readonly conditions: (result: UnitResult | undefined) => readonly (Condition | undefined)[]
}

const withIngress = (result: UnitResult | undefined): Condition | undefined =>
  waypointCondition(result?.waypoint, { used: result?.ingressUsesWaypoint ?? false })

const typed = (type: string, condition: PolicyCondition | undefined): Condition | undefined =>
  condition === undefined ? undefined : { type, ...condition }

function ruleTarget(kind: ResourceKind, watched: WatchedKind): Target {
  return {
    kind,
    watched,
    fieldManager: 'ambit-rules',
    types: ['Accepted', 'ResolvedRefs', 'ResolvedWaypoints'],
    observesGeneration: true,
    conditions: (result) => result?.ruleConditions ?? [],
  }
}

/** Which conditions each kind of unit gets, and as whom it is written (Istio's field managers). */
const TARGETS: Readonly<Record<string, readonly Target[]>> = {
  service: [
    {
      kind: KINDS.service,
      watched: 'service',
      fieldManager: 'istio-ambient-service',
      types: [WAYPOINT_BOUND, WITHOUT_WAYPOINT],
      observesGeneration: false,
      conditions: (result) => [withIngress(result), typed(WITHOUT_WAYPOINT, result?.withoutWaypoint)],
    },
  ],
  serviceEntry: [
    {
      kind: KINDS.serviceEntry,
      watched: 'serviceEntry',
      fieldManager: 'istio-ambient-service',
      types: [WAYPOINT_BOUND, WAYPOINT_MISSING, WITHOUT_WAYPOINT],
      observesGeneration: true,
      conditions: (result) => [
        withIngress(result),
        typed(WAYPOINT_MISSING, result?.waypointMissing),
        typed(WITHOUT_WAYPOINT, result?.withoutWaypoint),
      ],
    },
  ],
  workloadEntry: [
    {
      kind: KINDS.workloadEntry,
      watched: 'workloadEntry',
      fieldManager: 'istio-ambient-workloadentry',
      types: [WAYPOINT_BOUND],
      observesGeneration: true,
      conditions: (result) => [waypointCondition(result?.waypoint, undefined)],
    },
  ],
  virtualService: [ruleTarget(KINDS.virtualService, 'virtualService')],
  destinationRule: [ruleTarget(KINDS.destinationRule, 'destinationRule')],
  policy: [
    {
      kind: KINDS.authorizationPolicy,
      watched: 'authorizationPolicy',
      fieldManager: 'istio-ambient-ztunnel-policy',
      types: [ZTUNNEL_ACCEPTED],
      observesGeneration: true,
      conditions: (result) => [typed(ZTUNNEL_ACCEPTED, result?.policyCondition)],
    },
    {
      kind: KINDS.authorizationPolicy,
      watched: 'authorizationPolicy',
      fieldManager: 'istio-ambient-waypoint-policy',
      types: [WAYPOINT_ACCEPTED],
      observesGeneration: true,
      conditions: (result) => [typed(WAYPOINT_ACCEPTED, result?.targetCondition)],
    },
  ],
}

/** What the status of the unit's object says of a result, whoever writes it. Routes have statuses of another form. */
export function conditionsOf(kind: UnitKind, result: UnitResult | undefined): readonly Condition[] {
  return (TARGETS[kind] ?? []).flatMap((target) =>
    target.conditions(result).filter((condition) => condition !== undefined),
  )
}

export interface StatusSyncComponents {
  readonly index: MeshIndex
  readonly cluster: Pick<ClusterWatch, 'sets' | 'covers'>
  readonly writer: StatusWriter
  readonly clock: Clock
}

/** Leader's work: objects say what became of them. Only differences are written. */
export function keepStatus(parts: StatusSyncComponents, signal: AbortSignal): void {
  if (signal.aborted) return
  const { index } = parts
  const subscription = index.onStatus((key, result) => writeStatus(parts, key, result))
  signal.addEventListener('abort', () => subscription[Symbol.dispose](), { once: true })
  for (const [key, result] of index.results()) writeStatus(parts, key, result)
  sweepOrphans(parts)
}

function writeStatus(parts: StatusSyncComponents, key: Unit, result: UnitResult | undefined): void {
  const { kind, namespace, name } = partsOf(key)
  if (kind === 'httpRoute' || kind === 'grpcRoute') {
    const route = parts.cluster.sets[kind].get(namespace, name)
    const covered = route !== undefined && parts.cluster.covers(route)
    const { writer, clock } = parts
    writeRouteStatus(
      { writer, nowMs: clock.now(), covered },
      kind,
      { namespace, name },
      route,
      result?.routeParents ?? [],
    )
    return
  }
  for (const target of TARGETS[kind] ?? []) writeCondition(parts, target, key, result)
}

function writeCondition(parts: StatusSyncComponents, target: Target, key: Unit, result: UnitResult | undefined): void {
  const { namespace, name } = partsOf(key)
  const object = parts.cluster.sets[target.watched].get(namespace, name)
  const write = { kind: target.kind, namespace, name, fieldManager: target.fieldManager }
  if (object === undefined || !parts.cluster.covers(object)) {
    parts.writer.forget(write)
    return
  }
  const generation = target.observesGeneration ? generationOf(object) : undefined
  const conditions = target
    .conditions(result)
    .filter((condition) => condition !== undefined)
    .map((condition) => conditionToWrite(condition, object, { nowMs: parts.clock.now(), generation }))
  // Applying without a condition gives it up, and with it the condition goes.
  const present = target.types.filter((type) => conditionOf(object, type) !== undefined)
  if (present.length === conditions.length && conditions.every((condition) => saysAlready(condition, object))) return
  parts.writer.write({ ...write, uid: object.metadata.uid, status: { conditions } })
}

function generationOf(object: KubeObject): number | undefined {
  return object.metadata.generation
}

/** Conditions a former leader left on objects that no longer ask for anything. */
function sweepOrphans(parts: StatusSyncComponents): void {
  const speaking = new Set([...parts.index.results()].map(([key]) => key))
  for (const kind of ['httpRoute', 'grpcRoute'] as const) {
    for (const { metadata } of parts.cluster.sets[kind]) {
      const key = `${kind}/${metadata.namespace ?? ''}/${metadata.name}`
      if (!speaking.has(key)) writeStatus(parts, key, undefined)
    }
  }
  for (const [unitKind, targets] of Object.entries(TARGETS)) {
    for (const target of targets) {
      for (const object of parts.cluster.sets[target.watched]) {
        const key = `${unitKind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`
        if (!speaking.has(key)) writeCondition(parts, target, key, undefined)
      }
    }
  }
}
