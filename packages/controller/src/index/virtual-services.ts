import { withDelegates } from '../compile/delegated-rules.ts'
import { hostPatterns, isExportedTo } from '../compile/host-name.ts'
import type { BackendVerdict } from '../compile/route.ts'
import type { BackendRef } from '../route.types.ts'
import type { VirtualService } from '../virtual-service.types.ts'
import { resolveHostname } from './backend-lookup.ts'
import { virtualGatewayKey, virtualHostKey, virtualNameKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { isOlder } from './policies-of-workload.ts'
import { hasSubset, trafficPolicyOf } from './traffic-policies.ts'
import type { Uses } from './uses.types.ts'

/** Those that name the host, or a wildcard that takes it, and are exported to the namespace; oldest first. */
export function virtualServicesOfHost(
  state: MeshState,
  host: string,
  client: string,
  uses: Uses,
): readonly VirtualService[] {
  const names = new Set<string>()
  for (const pattern of hostPatterns(host)) {
    uses(virtualHostKey(pattern))
    for (const name of state.links.virtualServicesOfHost.get(pattern)) names.add(name)
  }
  return sorted(state, names)
    .filter((service) => isExportedTo(service, client))
    .map((service) => delegating(state, service, uses))
}

/** Those bound to an Istio Gateway, `namespace/name`, and exported to the namespace it runs in; oldest first. */
export function virtualServicesOfGateway(
  state: MeshState,
  gateway: string,
  client: string,
  uses: Uses,
): readonly VirtualService[] {
  uses(virtualGatewayKey(gateway))
  return sorted(state, state.links.virtualServicesOfGateway.get(gateway))
    .filter((service) => isExportedTo(service, client))
    .map((service) => delegating(state, service, uses))
}

/** With the rules of its delegates in their places. */
export function delegating(state: MeshState, service: VirtualService, uses: Uses): VirtualService {
  if (service.http.every(({ delegate }) => delegate === undefined)) return service
  const http = withDelegates(service.http, (name) => {
    uses(virtualNameKey(name))
    const slash = name.indexOf('/')
    const found = state.virtualServices.get(name.slice(0, slash), name.slice(slash + 1))
    return found !== undefined && isExportedTo(found, service.namespace) ? found : undefined
  })
  return { ...service, http }
}

/**
 * What a destination of a VirtualService means to a proxy in the namespace `client`: the service, and how DestinationRules treat it. A port
 * that is not written is the only one of the service, else the one that was asked for.
 */
export function resolveDestination(
  state: MeshState,
  ref: BackendRef,
  at: { readonly client: string; readonly port: number },
  uses: Uses,
): BackendVerdict {
  const verdict = resolveHostname(state, ref, { namespace: ref.namespace, port: at.port }, uses)
  if (!verdict.found) return verdict
  const trafficPolicy = trafficPolicyOf(state, verdict, at.client, uses)
  const { subset = '' } = ref
  if (subset !== '' && !hasSubset(state, verdict, trafficPolicy, subset, uses)) {
    const message = `no DestinationRule for ${verdict.hostname} has a subset ${subset}`
    return { found: false, reason: 'BackendNotFound', message }
  }
  return { ...verdict, trafficPolicy }
}

function sorted(state: MeshState, names: Iterable<string>): VirtualService[] {
  const services: VirtualService[] = []
  for (const at of names) {
    const slash = at.indexOf('/')
    const service = state.virtualServices.get(at.slice(0, slash), at.slice(slash + 1))
    if (service !== undefined) services.push(service)
  }
  return services.sort((a, b) => (isOlder(a, b) ? -1 : 1))
}
