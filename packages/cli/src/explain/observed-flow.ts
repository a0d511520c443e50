import { formatSpiffeId, parseSocketAddress, parseSpiffeId } from '@ambit/core'
import type { ClientRef, MeshModel, Question, TargetRef } from '@ambit/explain'
import type { Flow } from '@ambit/flow'
import type { Cluster } from '../cluster/cluster.types.ts'
import { SelectionError } from '../errors.ts'
import { followFlows } from '../flows/follow-flows.ts'

export interface FlowWish {
  /** Absent: the last that was denied. */
  readonly id?: string | undefined
  /** `namespace/name` of pod, workload or account of the client. */
  readonly from?: string | undefined
  readonly namespace: string
  readonly istioNamespace: string
}

export interface ObservedFlow {
  readonly flow: Flow
  /** Proxies that could not be asked. */
  readonly gaps: readonly string[]
}

/** A flow that proxies remember. */
export async function observedFlow(cluster: Cluster, wish: FlowWish): Promise<ObservedFlow> {
  const { id, from, namespace, istioNamespace } = wish
  const stop = new AbortController()
  const gaps: string[] = []
  let found: Flow | undefined
  for await (const update of followFlows(cluster, { watch: false, istioNamespace, signal: stop.signal })) {
    if ('gap' in update) gaps.push(update.gap)
    else if (isMeant(update.flow, { id, from, namespace }) && (found === undefined || isLater(update.flow, found))) {
      found = update.flow
    }
  }
  if (found !== undefined) return { flow: found, gaps }
  const what =
    id === undefined ? `no denial${from === undefined ? '' : ` of ${from}`}` : `no connection or request ${id}`
  const missing = gaps.length === 0 ? '' : `; not all could be asked: ${gaps.join('; ')}`
  throw new SelectionError(`${what} is remembered by the proxies${missing}`)
}

function isMeant(flow: Flow, { id, from, namespace }: Pick<FlowWish, 'id' | 'from' | 'namespace'>): boolean {
  if (id !== undefined) return flow.id === id
  return flow.state === 'denied' && (from === undefined || isFrom(flow, from, namespace))
}

function isFrom({ client }: Flow, from: string, namespace: string): boolean {
  const [, path = from] = /^(?:pod|sa):(.*)$/.exec(from) ?? []
  const slash = path.indexOf('/')
  const [place, name] = slash < 0 ? [namespace, path] : [path.slice(0, slash), path.slice(slash + 1)]
  const account = client.identity === undefined ? undefined : parseSpiffeId(client.identity)
  if (from === client.identity || parseSocketAddress(client.address)?.ip === from) return true
  if (account?.namespace === place && account.serviceAccount === name) return true
  return client.namespace === place && (client.pod === name || client.workload === name)
}

/** What a proxy tells of one flow more than once, the last says most of. */
function isLater(a: Flow, b: Flow): boolean {
  return a.at > b.at
}

/** The question that the flow was the answer to, with the flow's own facts. */
export function questionOfFlow(flow: Flow, model: MeshModel): Question {
  const { client, request } = flow
  const sourceIp = parseSocketAddress(client.address)?.ip
  return {
    from: clientOf(flow, model),
    to: targetOf(flow),
    ...(sourceIp === undefined ? {} : { sourceIp }),
    ...(request === undefined
      ? {}
      : {
          request: {
            method: request.method,
            path: request.path,
            host: request.host,
            headers: Object.entries(request.headers ?? {}),
            ...(request.claims === undefined ? {} : { claims: request.claims }),
          },
        }),
  }
}

/** Its pod where that runs still and is what proved the identity; else the identity itself. */
function clientOf({ client }: Flow, model: MeshModel): ClientRef {
  const { namespace = '', pod: name, identity, address } = client
  const pod = model.pods().find((one) => one.namespace === namespace && one.name === name)
  if (identity === undefined) {
    if (pod !== undefined && !isCaptured(pod)) return { kind: 'pod', namespace, name: pod.name }
    return { kind: 'outside', ip: parseSocketAddress(address)?.ip }
  }
  const proven = parseSpiffeId(identity)
  const trustDomain = model.mesh.trustDomain
  if (pod !== undefined && isCaptured(pod)) {
    const own = formatSpiffeId({ trustDomain, namespace, serviceAccount: pod.serviceAccount })
    if (own === identity) return { kind: 'pod', namespace, name: pod.name }
  }
  return proven === undefined ? { kind: 'outside' } : { kind: 'identity', identity, isProven: true }
}

function isCaptured({ annotations }: { readonly annotations: Readonly<Record<string, string>> }): boolean {
  return annotations['ambient.istio.io/redirection'] === 'enabled'
}

/** A node proxy knows the pod, a waypoint the service. */
function targetOf({ side, server, service }: Flow): TargetRef {
  const address = parseSocketAddress(server.address)
  if (side === 'destination' && server.pod !== undefined && server.namespace !== undefined)
    return { kind: 'pod', namespace: server.namespace, name: server.pod, port: address?.port }
  if (service !== undefined) return { kind: 'host', host: service.hostname, port: service.port }
  return { kind: 'host', host: address?.ip ?? server.address, port: address?.port }
}
