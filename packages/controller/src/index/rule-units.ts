import { hostPatterns, isExportedTo } from '../compile/host-name.ts'
import type { RefProblem } from '../compile/route.ts'
import { MISSING_USE_WAYPOINT, type RouteCondition } from '../compile/route-condition.ts'
import { ruleConditions } from '../compile/rule-condition.ts'
import { MESH_GATEWAY, type VirtualService } from '../virtual-service.types.ts'
import { hostKey, namespaceKey, ruleHostKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { isHonoured } from './routes-of-service.ts'
import { boundWaypoint } from './rules-in-force.ts'
import type { UnitResult } from './unit-result.types.ts'
import { partsOf } from './units.ts'
import type { Uses } from './uses.types.ts'
import { delegating, resolveDestination } from './virtual-services.ts'
import { waypointOf } from './waypoint-lookup.ts'

/** A VirtualService has no resource of its own: its routes are in what they are for. What became of it is said here. */
export function virtualServiceUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const written = state.virtualServices.get(namespace, name)
  if (written === undefined) return {}
  const service = delegating(state, written, uses)
  const refs = service.http.flatMap(({ effects }) => [
    ...effects.backends,
    ...effects.mirrors.map(({ backend }) => backend),
  ])
  const all = [...refs, ...service.tcp.flatMap(({ backends }) => backends)]
  const unresolved = all.flatMap((ref): readonly RefProblem[] => {
    // A port of its own is not needed where the service has only one, or the one asked for is meant.
    const verdict = resolveDestination(state, ref, { client: namespace, port: ref.port ?? 0 }, uses)
    if (verdict.found || (ref.port === undefined && /has no port/.test(verdict.message))) return []
    return [verdict]
  })
  const refused = service.http.flatMap(({ effects }) => effects.problems)
  // One without hosts is there to be delegated to.
  const inMesh = service.gateways.includes(MESH_GATEWAY) && service.hosts.length > 0
  return {
    ruleConditions: ruleConditions({
      refused: [...refused, ...all.flatMap(({ problems }) => problems)],
      notes: service.notes,
      refs: unresolved,
      waypoint: inMesh ? { problem: waypointProblem(state, service, uses) } : undefined,
    }),
  }
}

export function destinationRuleUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const rule = state.destinationRules.get(namespace, name)
  if (rule === undefined) return {}
  uses(hostKey(rule.host))
  uses(ruleHostKey(rule.host))
  const isWild = rule.host.startsWith('*')
  const known = isWild || state.links.hosts.get(rule.host).size > 0
  return {
    ruleConditions: ruleConditions({
      refused: [],
      notes: [...rule.notes, ...(rule.hasSelector ? ['workloadSelector: rules with one are for no waypoint'] : [])],
      refs: known ? [] : [{ reason: 'BackendNotFound', message: `no service has the hostname ${rule.host}` }],
      waypoint: undefined,
    }),
  }
}

type Problem = Pick<RouteCondition, 'reason' | 'message'>

/** Undefined: at least one service it names is served by a waypoint that follows it, or a wildcard may name any. */
function waypointProblem(state: MeshState, service: VirtualService, uses: Uses): Problem | undefined {
  let first: Problem | undefined
  for (const host of service.hosts) {
    if (host.startsWith('*')) return undefined
    uses(hostKey(host))
    for (const key of state.links.hosts.get(host)) {
      const problem = problemAt(state, service, partsOf(key), uses)
      if (problem === undefined) return undefined
      first ??= problem
    }
  }
  const [host = ''] = hostPatterns(service.hosts[0] ?? '')
  return first ?? { reason: 'NoMatchingParent', message: `no service has the hostname ${host}` }
}

function problemAt(
  state: MeshState,
  rule: VirtualService,
  { kind, namespace, name }: ReturnType<typeof partsOf>,
  uses: Uses,
): Problem | undefined {
  uses(namespaceKey(namespace))
  const isService = kind === 'service'
  const object = isService ? state.services.get(namespace, name) : state.serviceEntries.get(namespace, name)
  if (object === undefined) return { reason: 'NoMatchingParent', message: `${namespace}/${name} was not found` }
  const answer = waypointOf(state, object, 'service', uses)
  if (answer === undefined) return MISSING_USE_WAYPOINT
  if (!answer.binding.bound) return answer.binding
  const waypoint = boundWaypoint(state, answer, uses)
  if (waypoint === undefined) return undefined
  const service = { kind: isService ? 'Service' : 'ServiceEntry', namespace, name } as const
  if (!isHonoured(rule, service, waypoint))
    return {
      reason: 'ConsumerRoute',
      message: `only rules of the namespaces ${namespace} and ${waypoint.namespace} are respected by waypoint ${answer.waypoint}`,
    }
  return isExportedTo(rule, waypoint.namespace)
    ? undefined
    : { reason: 'NotExported', message: `not exported to the namespace of waypoint ${answer.waypoint}` }
}
