import { gatewaySettings, type ListenerInit } from '../compile/gateway-settings.ts'
import { isServed, type JudgedListener, listenerConditions } from '../compile/listener.ts'
import type { RouteCondition } from '../compile/route-condition.ts'
import { virtualHostsOf } from '../compile/virtual-hosts.ts'
import type { Gateway } from '../domain.types.ts'
import type { ListenerOutcome } from '../gateway/gateway-status.ts'
import { MAX_LISTENERS } from '../limits.ts'
import { resolveBackend } from './backend-lookup.ts'
import { compiledRoutes } from './compiled-routes.ts'
import { CREDENTIAL_PENDING } from './credentials.ts'
import { attachedRoutes, judgedListenersOf } from './gateway-routes.ts'
import { istioListeners } from './istio-listeners.ts'
import { gatewayKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { isOurWaypoint } from './our-waypoints.ts'
import { gatewaysOfRouter, type ServedGateway } from './router-gateways.ts'
import { podsOfRouter } from './routers.ts'
import { rulesOfRouter } from './rules-of-router.ts'
import { withTrafficPolicy } from './traffic-policies.ts'
import type { UnitResult } from './unit-result.types.ts'
import type { Uses } from './uses.types.ts'

/** Longest account of what is not served, characters. */
const MAX_NOTES = 2048

/**
 * Everything one gateway does: the listeners of the Gateways it stands for and of Istio's Gateways that select its
 * pods. As long as there is no pod there is nobody to tell, and nobody knows yet which policies select it.
 */
export function routerUnit(state: MeshState, namespace: string, name: string, uses: Uses): UnitResult {
  const pods = podsOfRouter(state, namespace, name)
  if (pods.length === 0) return {}
  uses(gatewayKey(namespace, name))
  const own = state.gateways.get(namespace, name)
  // A waypoint goes by that name already.
  if (own !== undefined && isOurWaypoint(state, own, uses)) return {}
  const served = gatewaysOfRouter(state, { namespace, name, pods }, uses)
  const wanted = new Set<string>()
  const notes: string[] = []
  const note = (text: string): void => void notes.push(text)
  const wants = (credential: string): void => void wanted.add(credential)
  const all = [
    ...served.flatMap((one) => gatewayListeners(state, one, wanted, uses)),
    ...istioListeners(state, { namespace, pods }, { wants, note, uses }),
  ]
  const listeners = compatible(all, note)
  const rules = rulesOfRouter(state, { namespace, pods, gateways: served.map(({ gateway }) => gateway.name) })
  return {
    settings: [gatewaySettings({ namespace, name }, listeners, rules, state.mesh)],
    namesCredentials: [...wanted].sort(),
    ruleConditions: notes.length === 0 ? undefined : [notServed(notes)],
  }
}

/** Gateways of Istio have no status for it: it goes to the log. */
function notServed(notes: readonly string[]): RouteCondition {
  const message = [...new Set(notes)].join('; ').slice(0, MAX_NOTES)
  return { type: 'Accepted', status: 'False', reason: 'PartiallyInvalid', message }
}

/** What the Gateway's status says of its listeners. */
export function ingressUnit(state: MeshState, gateway: Gateway, uses: Uses): UnitResult {
  const { judged, wanted } = judgedListenersOf(state, gateway, uses)
  const routes = attachedRoutes(state, gateway, uses)
  const namesCredentials = [...wanted].sort()
  // Said when it is known.
  if (judged.some(({ unresolved }) => unresolved?.reason === CREDENTIAL_PENDING)) return { namesCredentials }
  const listeners = judged.map(
    (one): ListenerOutcome => ({
      name: one.listener.name,
      attachedRoutes: routes.filter(({ hostnames }) => hostnames.has(one.listener.name)).length,
      supportedKinds: one.kinds,
      conditions: listenerConditions(one),
    }),
  )
  return { namesCredentials, listeners }
}

function gatewayListeners(
  state: MeshState,
  { gateway, portsOf }: ServedGateway,
  wanted: Set<string>,
  uses: Uses,
): readonly ListenerInit[] {
  const { judged, wanted: named } = judgedListenersOf(state, gateway, uses)
  for (const name of named) wanted.add(name)
  const routes = attachedRoutes(state, gateway, uses).map(({ route, hostnames }) => ({
    hostnames,
    compiled: compiledRoutes(route, (ref) =>
      withTrafficPolicy(state, resolveBackend(state, route, ref, uses), gateway.namespace, uses),
    ),
  }))
  return judged.flatMap((one) => {
    const { listener, tls } = one
    if (!isServed(one) && !isServedAnyway(one)) return []
    const virtualHosts = virtualHostsOf(
      routes.flatMap(({ hostnames, compiled }) => {
        const hosts = hostnames.get(listener.name)
        return hosts === undefined ? [] : [{ hostnames: hosts, routes: compiled }]
      }),
    )
    return portsOf(listener.port).map(
      (port): ListenerInit => ({
        name: `${gateway.namespace}.${gateway.name}.${listener.name}${port === listener.port ? '' : `.${port}`}`,
        port,
        hostnames: listener.hostname === '' ? [] : [listener.hostname],
        virtualHosts: [...virtualHosts],
        ...(tls && {
          tls: {
            credentials: [...tls.credentials],
            clientCertificates: tls.clientCertificates,
            clientAuthorities: [...tls.clientAuthorities],
          },
        }),
      }),
    )
  })
}

/** A kind of routes it does not know costs a listener only those routes. */
function isServedAnyway({ unaccepted, conflict, unresolved }: JudgedListener): boolean {
  return unaccepted === undefined && conflict === undefined && unresolved?.reason === 'InvalidRouteKinds'
}

/** A port is all TLS or not at all: whoever comes first decides. Names are unique. */
function compatible(listeners: readonly ListenerInit[], note: (text: string) => void): readonly ListenerInit[] {
  const secured = new Map<number, boolean>()
  const names = new Set<string>()
  const kept = listeners.filter(({ name = '', port = 0, tls }) => {
    const isSecured = tls !== undefined
    if (names.has(name)) return false
    if (secured.getOrInsertComputed(port, () => isSecured) !== isSecured) {
      note(`listener ${name}: port ${port} has ${isSecured ? 'plain HTTP' : 'TLS'} already`)
      return false
    }
    names.add(name)
    return true
  })
  if (kept.length > MAX_LISTENERS)
    note(`${kept.length} listeners: those after the first ${MAX_LISTENERS} are not served`)
  return kept.slice(0, MAX_LISTENERS)
}
