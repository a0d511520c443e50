import { type PortFacts, portsOfService, portsOfServiceEntry } from '../compile/destination.ts'
import type { BackendVerdict } from '../compile/route.ts'
import type { BackendRef, MeshRoute } from '../route.types.ts'
import { grantsKey, hostKey, targetKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { partsOf } from './units.ts'
import type { Uses } from './uses.types.ts'

const ROUTE_GROUP = 'gateway.networking.k8s.io'

/** Who refers to a backend. */
type Referrer = Pick<MeshRoute, 'kind' | 'namespace'>

/** What a backend of the route means, and whether the route may refer to it. */
export function resolveBackend(state: MeshState, route: Referrer, ref: BackendRef, uses: Uses): BackendVerdict {
  const target = `${ref.group || 'core'}/${ref.kind}`
  switch (target) {
    case 'core/Service':
      return permitted(state, route, ref, uses) ?? service(state, ref, uses)
    case 'networking.istio.io/ServiceEntry':
      return permitted(state, route, ref, uses) ?? serviceEntry(state, ref, uses)
    case 'networking.istio.io/Hostname':
      return resolveHostname(state, ref, { namespace: route.namespace }, uses)
    default:
      return {
        found: false,
        reason: 'InvalidKind',
        message: `${ref.kind}.${ref.group || 'core'} is no backend of a route`,
      }
  }
}

/** Undefined when the route may refer there: in its own namespace, or by a ReferenceGrant of the other. */
function permitted(state: MeshState, route: Referrer, ref: BackendRef, uses: Uses): BackendVerdict | undefined {
  if (ref.namespace === route.namespace) return undefined
  uses(grantsKey(ref.namespace))
  for (const { from, to } of state.grants.in(ref.namespace)) {
    const comes = from.some(
      ({ group, kind, namespace }) => group === ROUTE_GROUP && kind === route.kind && namespace === route.namespace,
    )
    const goes = to.some(
      ({ group, kind, name }) => group === ref.group && kind === ref.kind && (name === '' || name === ref.name),
    )
    if (comes && goes) return undefined
  }
  const message = `no ReferenceGrant of namespace ${ref.namespace} lets ${route.kind}s of ${route.namespace} refer to ${ref.kind} ${ref.name}`
  return { found: false, reason: 'RefNotPermitted', message }
}

function service(state: MeshState, ref: BackendRef, uses: Uses): BackendVerdict {
  const { namespace, name } = ref
  uses(targetKey('services', namespace, name))
  const found = state.services.get(namespace, name)
  if (found === undefined || found.externalName) return notFound(`Service ${namespace}/${name} was not found`)
  return port(ref, namespace, found.hostname, portsOfService(found))
}

function serviceEntry(state: MeshState, ref: BackendRef, uses: Uses): BackendVerdict {
  const { namespace, name } = ref
  uses(targetKey('serviceEntries', namespace, name))
  const found = state.serviceEntries.get(namespace, name)
  const [host] = found?.hosts ?? []
  if (found === undefined || host === undefined) return notFound(`ServiceEntry ${namespace}/${name} was not found`)
  return port(ref, namespace, host, portsOfServiceEntry(found))
}

/** A hostname anywhere: first in the namespace of who names it, then a Service, then by name. `port` stands for one that is not named. */
export function resolveHostname(
  state: MeshState,
  ref: BackendRef,
  from: { readonly namespace: string; readonly port?: number },
  uses: Uses,
): BackendVerdict {
  uses(hostKey(ref.name))
  const claims = [...state.links.hosts.get(ref.name)].map(partsOf)
  const rank = ({ kind, namespace }: (typeof claims)[number]): string =>
    `${namespace === from.namespace ? 0 : 1}${kind === 'service' ? 0 : 1}`
  const [first] = claims.toSorted((a, b) => {
    const [x, y] = [`${rank(a)}/${a.namespace}/${a.name}`, `${rank(b)}/${b.namespace}/${b.name}`]
    return x < y ? -1 : 1
  })
  if (first === undefined) return notFound(`no service has the hostname ${ref.name}`)
  const { kind, namespace, name } = first
  const found = kind === 'service' ? state.services.get(namespace, name) : undefined
  if (found !== undefined) return port(ref, namespace, ref.name, portsOfService(found), from.port)
  const entry = state.serviceEntries.get(namespace, name)
  return port(ref, namespace, ref.name, entry === undefined ? [] : portsOfServiceEntry(entry), from.port)
}

function port(
  ref: BackendRef,
  namespace: string,
  host: string,
  ports: readonly PortFacts[],
  otherwise?: number,
): BackendVerdict {
  const only = ports.length === 1 && ref.kind !== 'Service' ? ports[0] : undefined
  const wanted = ref.port ?? (only === undefined ? otherwise : undefined)
  const found = wanted === undefined ? only : ports.find(({ number }) => number === wanted)
  if (found === undefined)
    return notFound(`${ref.kind} ${namespace}/${ref.name} has no port ${ref.port ?? '(none is named)'}`)
  const { protocol } = found
  return { found: true, namespace, hostname: host, port: found.number, protocol }
}

function notFound(message: string): BackendVerdict {
  return { found: false, reason: 'BackendNotFound', message }
}
