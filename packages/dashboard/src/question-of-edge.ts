import { parseSpiffeId } from '@ambit/core'
import type { AskedRequest, ClientRef, Question, TargetRef } from '@ambit/explain'
import type { Flow, FlowEnd, FlowRequest } from '@ambit/flow'

/** What to ask about who made a flow, and where it went. The pod is named by its account: it may be gone by now. */
export function questionOf(
  flow: Flow,
  request: FlowRequest | undefined,
  clientIdentities: readonly string[],
): Question {
  return {
    from: clientOf(flow.client, clientIdentities),
    to: targetOf(flow),
    ...(request === undefined ? {} : { request: requestOf(request) }),
  }
}

function clientOf(client: FlowEnd, identities: readonly string[]): ClientRef {
  const identity = identities.find((one) => parseSpiffeId(one)?.namespace === client.namespace) ?? identities[0]
  const id = identity === undefined ? undefined : parseSpiffeId(identity)
  if (id !== undefined && id.namespace === client.namespace) {
    return { kind: 'account', namespace: id.namespace, serviceAccount: id.serviceAccount }
  }
  if (client.pod !== undefined && client.namespace !== undefined) {
    return { kind: 'pod', namespace: client.namespace, name: nameOf(client.pod) }
  }
  if (identity !== undefined) return { kind: 'identity', identity }
  return { kind: 'outside', ip: hostOf(client.address) }
}

function targetOf({ service, server }: Flow): TargetRef {
  if (service !== undefined) {
    const port = service.port > 0 ? { port: service.port } : {}
    const [name = '', namespace, kind] = service.hostname.split('.')
    if (kind === 'svc' && namespace === service.namespace) return { kind: 'service', namespace, name, ...port }
    return { kind: 'host', host: service.hostname, ...port }
  }
  const port = portOf(server.address)
  if (server.pod !== undefined && server.namespace !== undefined) {
    return { kind: 'pod', namespace: server.namespace, name: nameOf(server.pod), ...port }
  }
  return { kind: 'host', host: hostOf(server.address), ...port }
}

function requestOf({ method, path, host, headers, claims }: FlowRequest): AskedRequest {
  return {
    method,
    path,
    ...(host === '' ? {} : { host }),
    ...(headers === undefined ? {} : { headers: Object.entries(headers) }),
    ...(claims === undefined ? {} : { claims }),
  }
}

/** Of `namespace/name` the name. */
function nameOf(pod: string): string {
  return pod.slice(pod.indexOf('/') + 1)
}

function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
}

function portOf(address: string): { readonly port?: number } {
  const port = Number(/:(\d+)$/.exec(address)?.[1])
  return port > 0 ? { port } : {}
}
