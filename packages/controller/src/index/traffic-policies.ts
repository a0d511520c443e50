import type { ResourceInput } from '@ambit/xds'
import { hostPatterns, isExportedTo } from '../compile/host-name.ts'
import { labelsMatch } from '../compile/labels-match.ts'
import type { BackendVerdict } from '../compile/route.ts'
import { subsetsOf, trafficPolicyName, trafficPolicyResource } from '../compile/traffic-policy.ts'
import type { DestinationRule } from '../destination-rule.types.ts'
import type { StringMap } from '../watch/json.ts'
import { ruleHostKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { isOlder } from './policies-of-workload.ts'
import type { Uses } from './uses.types.ts'

interface ServiceName {
  readonly namespace: string
  readonly hostname: string
}

/**
 * The TrafficPolicy that clients of a namespace find for a service: what DestinationRules say in their own namespace, else in the
 * service's, else in the root. Empty: nothing is said. Rules of elsewhere count when all of them for the host are exported here.
 */
export function trafficPolicyOf(state: MeshState, service: ServiceName, client: string, uses: Uses): string {
  const byNamespace = rulesOfHost(state, service.hostname, uses)
  if (byNamespace.size === 0) return ''
  const namespaces = [client, service.namespace, state.mesh.rootNamespace]
  const found = namespaces.find((namespace) => {
    const rules = byNamespace.get(namespace)
    return rules !== undefined && (namespace === client || rules.every((rule) => isExportedTo(rule, client)))
  })
  return found === undefined ? '' : trafficPolicyName(found, service)
}

/** The verdict on a backend of a route, with how clients of the namespace treat it. */
export function withTrafficPolicy(
  state: MeshState,
  verdict: BackendVerdict,
  client: string,
  uses: Uses,
): BackendVerdict {
  return verdict.found ? { ...verdict, trafficPolicy: trafficPolicyOf(state, verdict, client, uses) } : verdict
}

/** Whether the TrafficPolicy a client finds has such a subset. */
export function hasSubset(state: MeshState, service: ServiceName, policy: string, subset: string, uses: Uses): boolean {
  const [namespace = ''] = policy.split('/', 1)
  const rules = rulesOfHost(state, service.hostname, uses).get(namespace) ?? []
  return rules.some(({ subsets }) => subsets.some(({ name }) => name === subset))
}

/** What any client may find for the service. */
export function trafficPoliciesOf(state: MeshState, service: ServiceName, uses: Uses): readonly ResourceInput[] {
  return [...rulesOfHost(state, service.hostname, uses)].map(([namespace, rules]) =>
    trafficPolicyResource(trafficPolicyName(namespace, service), rules),
  )
}

/** The subsets a workload with these labels is in, of the services it belongs to, `namespace/hostname`; whoever changes a rule touches it. */
export function subsetsOfWorkload(state: MeshState, labels: StringMap, services: readonly string[]): readonly string[] {
  if (state.destinationRules.size === 0) return []
  const subsets: string[] = []
  for (const key of services) {
    const slash = key.indexOf('/')
    const service = { namespace: key.slice(0, slash), hostname: key.slice(slash + 1) }
    for (const [namespace, rules] of rulesOfHost(state, service.hostname, () => undefined))
      for (const subset of subsetsOf(rules))
        if (labelsMatch(subset.labels, labels)) subsets.push(`${trafficPolicyName(namespace, service)}/${subset.name}`)
  }
  return subsets.sort()
}

const NONE: ReadonlyMap<string, readonly DestinationRule[]> = new Map()

/** In each namespace the rules for the narrowest name it has for the host, oldest first. */
function rulesOfHost(state: MeshState, hostname: string, uses: Uses): ReadonlyMap<string, readonly DestinationRule[]> {
  let found: Map<string, DestinationRule[]> | undefined
  for (const pattern of hostPatterns(hostname)) {
    uses(ruleHostKey(pattern))
    const names = state.links.rulesOfHost.get(pattern)
    if (names.size === 0) continue
    const here = new Map<string, DestinationRule[]>()
    for (const at of names) {
      const slash = at.indexOf('/')
      const rule = state.destinationRules.get(at.slice(0, slash), at.slice(slash + 1))
      if (rule === undefined || rule.hasSelector || found?.has(rule.namespace) === true) continue
      here.set(rule.namespace, [...(here.get(rule.namespace) ?? []), rule])
    }
    found ??= new Map()
    for (const [namespace, rules] of here)
      found.set(
        namespace,
        rules.sort((a, b) => (isOlder(a, b) ? -1 : 1)),
      )
  }
  return found ?? NONE
}
