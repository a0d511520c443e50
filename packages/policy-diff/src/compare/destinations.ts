import { LABELS } from '@ambit/api'
import type { AuthorizationPolicy, KubeService, Pod, ServiceEntry } from '@ambit/controller/judgement'
import { labelsMatch } from '@ambit/controller/judgement'
import type { MeshModel, TargetRef } from '@ambit/explain'

/** Somewhere that clients go, and the policies that may have a say there. */
export interface Destination {
  /** `service shop/web:80`. */
  readonly name: string
  readonly to: TargetRef
  /** What clients write into Host. */
  readonly host: string
  readonly isGateway: boolean
  /** Policies that concern it, by their place and what they select; some of them may not be in force. */
  readonly mayConcern: (policy: AuthorizationPolicy) => boolean
}

type Model = Pick<MeshModel, 'services' | 'serviceEntries' | 'pods' | 'mesh'>

const HTTP_PORT = 80
const WAYPOINT_CONTROLLER = 'istio.io-mesh-controller'

/** Services by their ports, and pods, of which those alike are one. */
export function destinationsOf(model: Model): readonly Destination[] {
  const { rootNamespace } = model.mesh
  const byNamespace = Map.groupBy(model.pods(), ({ namespace }) => namespace)
  const podsOf = ({ namespace, selector }: KubeService): readonly Pod[] =>
    Object.keys(selector).length === 0
      ? []
      : (byNamespace.get(namespace) ?? []).filter(({ labels }) => labelsMatch(selector, labels))
  return [
    ...model
      .services()
      .filter((service) => !service.externalName && !isOfWaypoint(service.labels))
      .flatMap((service) => ofService(service, podsOf(service), rootNamespace)),
    ...model.serviceEntries().flatMap((entry) => ofServiceEntry(entry, rootNamespace)),
    ...ofPods(model, rootNamespace),
  ]
}

function ofService(service: KubeService, pods: readonly Pod[], root: string): readonly Destination[] {
  const { namespace, name, hostname, ports } = service
  const isGateway = pods.some(({ isRouter }) => isRouter)
  const mayConcern = (policy: AuthorizationPolicy): boolean =>
    concerns(policy, { namespace, root, pods, target: { kind: 'Service', name } })
  return ports
    .filter(({ protocol }) => protocol !== 'UDP')
    .map(({ port }) => ({
      name: `service ${namespace}/${name}:${port}`,
      to: { kind: 'service', namespace, name, port },
      host: hostWith(hostname, port),
      isGateway,
      mayConcern,
    }))
}

function ofServiceEntry(entry: ServiceEntry, root: string): readonly Destination[] {
  const { namespace, name, hosts, ports } = entry
  const [host = ''] = hosts
  const mayConcern = (policy: AuthorizationPolicy): boolean =>
    concerns(policy, { namespace, root, pods: undefined, target: { kind: 'ServiceEntry', name } })
  return ports.map(({ port }) => ({
    name: `ServiceEntry ${namespace}/${name}:${port}`,
    to: { kind: 'service', namespace, name, port },
    host: hostWith(host, port),
    isGateway: false,
    mayConcern,
  }))
}

/** Ports of a pod that are no port of its containers, nor of a service: policies may name them all the same. */
function ofPods(model: Model, root: string): readonly Destination[] {
  const found = new Map<string, Destination>()
  for (const pod of model.pods()) {
    if (pod.isRouter || isOfWaypoint(pod.labels) || pod.hostNetwork) continue
    const { namespace, name, workloadName, labels } = pod
    const { 'pod-template-hash': _, ...alike } = labels
    const mayConcern = (policy: AuthorizationPolicy): boolean =>
      concerns(policy, { namespace, root, pods: [pod], target: undefined })
    for (const port of portsOf(pod, model.services())) {
      const key = JSON.stringify([namespace, workloadName, pod.serviceAccount, alike, port])
      if (found.has(key)) continue
      found.set(key, {
        name: `workload ${namespace}/${workloadName}:${port}`,
        to: { kind: 'pod', namespace, name, port },
        host: hostWith(pod.ips[0] ?? '', port),
        isGateway: false,
        mayConcern,
      })
    }
  }
  return [...found.values()]
}

function portsOf(pod: Pod, services: readonly KubeService[]): readonly number[] {
  const ofServices = services
    .filter(({ namespace, selector }) => namespace === pod.namespace && selects(selector, pod))
    .flatMap(({ ports }) => ports.flatMap(({ target }) => (typeof target === 'number' ? target : [])))
  const ofContainers = pod.ports.filter(({ protocol }) => protocol !== 'UDP').map(({ port }) => port)
  return [...new Set([...ofContainers, ...ofServices])]
}

function selects(selector: Readonly<Record<string, string>>, { labels }: Pod): boolean {
  return Object.keys(selector).length > 0 && labelsMatch(selector, labels)
}

interface Place {
  readonly namespace: string
  readonly root: string
  /** Undefined: not known. */
  readonly pods: readonly Pod[] | undefined
  readonly target: { readonly kind: string; readonly name: string } | undefined
}

/** Those of Gateways and classes concern whatever lies behind them, in any namespace. */
function concerns({ namespace, selector, targetRefs }: AuthorizationPolicy, place: Place): boolean {
  const near = namespace === place.namespace || namespace === place.root
  if (targetRefs.length === 0)
    return near && (selector === undefined || place.pods?.some(({ labels }) => labelsMatch(selector, labels)) !== false)
  return targetRefs.some(({ kind, name }) => {
    if (kind !== 'Service' && kind !== 'ServiceEntry') return true
    return near && place.target?.kind === kind && place.target.name === name
  })
}

export function isOfWaypoint(labels: Readonly<Record<string, string>>): boolean {
  return labels[LABELS.gatewayManaged] === WAYPOINT_CONTROLLER
}

function hostWith(host: string, port: number): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === HTTP_PORT ? name : `${name}:${port}`
}
