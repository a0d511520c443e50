import { chooseBackend, matchRoute, redirectOf } from '@ambit/route'
import { findTreatment, type Route, type Service, type WorkloadStore } from '@ambit/state'
import type { ProxyState } from '../compile/proxy-state.ts'
import type { JudgedRequest } from './judge-request.ts'

/** Where a proxy sends what it let through. */
export type Onward =
  | {
      readonly kind: 'service'
      readonly service: Service
      readonly port: number
      readonly isAddressed: boolean
      readonly members: ReadonlySet<string> | undefined
      /** `namespace.name.rule`. */
      readonly route: string | undefined
      /** Other services that the route sends a share to. */
      readonly alsoTo: readonly string[]
    }
  /** Answered by the proxy itself. */
  | { readonly kind: 'answered'; readonly reason: string }

export interface RouteQuestion {
  readonly routes: readonly Route[] | undefined
  readonly judged: JudgedRequest
  readonly request: { readonly method: string; readonly authority: string }
  readonly sourceNamespace: string | undefined
  readonly scheme: 'http' | 'https'
  /** As the client addressed it; undefined at a gateway. */
  readonly addressed: { readonly service: Service; readonly port: number; readonly trafficPolicy: string } | undefined
}

const FIRST = (): number => 0
const MILLION = 1_000_000

/** Routes, and what becomes of the request by the one that takes it. Of several backends the first is meant. */
export function routeOnward(proxy: ProxyState, workloads: WorkloadStore, asked: RouteQuestion): Onward {
  const { routes, judged, request, sourceNamespace, scheme, addressed } = asked
  const { path, query, header } = judged
  const verdict = matchRoute(routes, { method: request.method, path, query, scheme, sourceNamespace, header })
  if (verdict.kind === 'not-found' || (verdict.kind === 'default' && addressed === undefined))
    return { kind: 'answered', reason: 'no route takes it: it is answered 404' }
  if (verdict.kind === 'default' && addressed !== undefined) {
    const { service, port, trafficPolicy } = addressed
    return treated(proxy, { service, port, isAddressed: true }, { trafficPolicy, subset: '' }, undefined)
  }
  if (verdict.kind !== 'matched') return { kind: 'answered', reason: 'no route takes it: it is answered 404' }
  const { route } = verdict
  const { abort } = route.fault ?? {}
  if (abort !== undefined && abort.perMillion >= MILLION)
    return {
      kind: 'answered',
      reason: `route ${route.name} answers it with the fault it injects: ${abort.kind} ${abort.status}`,
    }
  const { action } = route
  switch (action.kind) {
    case 'fixed-status':
      return { kind: 'answered', reason: `route ${route.name} answers it ${action.status}` }
    case 'redirect': {
      const answer = redirectOf(action.redirect, route.match.path, {
        scheme,
        authority: request.authority,
        port: addressed?.port ?? 80,
        path,
        query,
      })
      return {
        kind: 'answered',
        reason:
          answer === undefined
            ? `route ${route.name} answers it 400`
            : `route ${route.name} redirects it to ${answer.location}`,
      }
    }
    case 'forward': {
      const choice = chooseBackend(action.backends, FIRST)
      if (choice.kind === 'failed')
        return { kind: 'answered', reason: `route ${route.name} has no backend that may be used: it is answered 500` }
      const { backend } = choice
      const service = workloads.service(backend.service)
      if (service === undefined)
        return {
          kind: 'answered',
          reason: `route ${route.name} leads to ${backend.service}, which is not known: it is answered 503`,
        }
      const to = { service, port: backend.port, isAddressed: service === addressed?.service }
      const onward = treated(proxy, to, backend, route.name)
      const alsoTo = action.backends.filter((one) => one !== backend && one.weight > 0).map((one) => one.service)
      return onward.kind === 'service' ? { ...onward, alsoTo } : onward
    }
  }
}

/** What DestinationRules say of it. */
export function treated(
  proxy: ProxyState,
  to: { readonly service: Service; readonly port: number; readonly isAddressed: boolean },
  rules: { readonly trafficPolicy: string; readonly subset: string },
  route: string | undefined,
): Onward {
  const found = findTreatment(proxy.trafficPolicies, to, rules)
  if (found.kind === 'missing' || found.kind === 'refused')
    return { kind: 'answered', reason: `a DestinationRule refuses it: ${found.message}` }
  return { kind: 'service', ...to, members: found.kind === 'found' ? found.members : undefined, route, alsoTo: [] }
}
