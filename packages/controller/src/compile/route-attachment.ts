import type { GatewayListener } from '../domain.types.ts'
import type { MeshRoute, ParentRef } from '../route.types.ts'
import type { StringMap } from '../watch/json.ts'
import { selectorMatches } from '../watch/label-selector.ts'
import { intersectHosts } from './hostnames.ts'
import { supportedKinds } from './listener.ts'

/** Whether a listener takes a route by one of its parents, and for which hosts. */
export type Attachment =
  | { readonly attached: true; readonly hostnames: readonly string[] }
  | {
      readonly attached: false
      /** Gateway API's reasons. */
      readonly reason: 'NoMatchingParent' | 'NotAllowedByListeners' | 'NoMatchingListenerHostname'
      readonly message: string
    }

type AttachingRoute = Pick<MeshRoute, 'kind' | 'namespace' | 'hostnames'>

/** The sentences are Istio's. */
export function attachmentOf(
  listener: GatewayListener,
  gatewayNamespace: string,
  parent: Pick<ParentRef, 'section' | 'port'>,
  route: AttachingRoute,
  namespaceLabels: StringMap,
): Attachment {
  if (parent.section !== '' && parent.section !== listener.name)
    return refused('NoMatchingParent', `sectionName ${JSON.stringify(parent.section)} not found`)
  if (parent.port !== undefined && parent.port !== listener.port)
    return refused('NoMatchingParent', `port ${parent.port} not found`)
  const hostnames = intersectHosts(listener.hostname === '' ? [] : [listener.hostname], route.hostnames)
  const allowed = allowsNamespace(listener, gatewayNamespace, route.namespace, namespaceLabels)
  if (hostnames.length === 0)
    return refused(
      'NoMatchingListenerHostname',
      `no hostnames matched parent hostname ${JSON.stringify(listener.hostname)}`,
    )
  if (!allowed)
    return refused('NotAllowedByListeners', `namespace ${JSON.stringify(route.namespace)} is not allowed by the parent`)
  if (!supportedKinds(listener).kinds.some(({ kind }) => kind === route.kind))
    return refused('NotAllowedByListeners', `kind ${route.kind} is not allowed`)
  return { attached: true, hostnames }
}

function allowsNamespace(
  listener: GatewayListener,
  gatewayNamespace: string,
  namespace: string,
  labels: StringMap,
): boolean {
  switch (listener.allowedFrom) {
    case 'All':
      return true
    case 'Selector':
      return listener.allowedSelector !== undefined && selectorMatches(listener.allowedSelector, labels)
    case 'Same':
      return namespace === gatewayNamespace
  }
}

function refused(reason: (Attachment & { attached: false })['reason'], message: string): Attachment {
  return { attached: false, reason, message }
}

/** What most helps the author of the route: who is nearly taken hears of that, not of listeners it never meant (Istio). */
const RANKING = ['NotAllowedByListeners', 'NoMatchingListenerHostname', 'NoMatchingParent'] as const

/** One verdict of those of all listeners; undefined: some listener takes the route. */
export function refusalOf(
  attachments: readonly Attachment[],
): { readonly reason: string; readonly message: string } | undefined {
  if (attachments.some(({ attached }) => attached)) return undefined
  for (const reason of RANKING) {
    const messages = attachments.flatMap((one) => (one.attached || one.reason !== reason ? [] : [one.message]))
    if (messages.length > 0) return { reason, message: [...new Set(messages)].join('; ') }
  }
  return { reason: 'NoMatchingParent', message: 'the Gateway has no listeners' }
}
