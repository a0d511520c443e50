import { LABELS, workloadpb } from '@ambit/api'
import type { AuthorizationPolicy, KubeService, Pod, ServiceEntry } from '@ambit/controller/judgement'
import { appProtocolOf, labelsMatch } from '@ambit/controller/judgement'
import type { MeshModel, TargetRef } from '@ambit/explain'

/** Somewhere that clients go, and the policies that may have a say there. */
export interface Destination {
  /** `service shop/web:80`, `workload shop/web:*` for ports that nobody names. */
  readonly name: string
  /** What all its ports are told as together; only of workloads. */
  readonly whole: string | undefined
  readonly to: TargetRef
  /** What clients write into Host. */
  readonly host: string
  readonly isGateway: boolean
  /** Proxies see bytes there and no requests. */
  readonly asBytes: boolean
  readonly namespace: string
  /** What a policy of its namespace names it as. */
  readonly target: { readonly kind: 'Service' | 'ServiceEntry'; readonly name: string } | undefined
  /** Policies that concern it, by their place and what they select; some of them may not be in force. */
  readonly mayConcern: (policy: AuthorizationPolicy) => boolean
}

type Model = Pick<MeshModel, 'services' | 'serviceEntries' | 'pods' | 'mesh'>
/** Ports that policies name, of those that may concern. */
export type NamedPorts = (place: Pick<Destination, 'namespace' | 'target' | 'mayConcern'>) => Iterable<number>

export const OTHER_PORTS = '*'
export const AS_BYTES = ' (bytes)'
const HTTP_PORT = 80
/** Nobody's, the first that is free. */
const FIRST_OTHER_PORT = 4711
const WAYPOINT_CONTROLLER = 'istio.io-mesh-controller'

/** Services by their ports, and pods by theirs, of which those alike are one. */
export function destinationsOf(model: Model, namedPorts: NamedPorts): readonly Destination[] {
  const { rootNamespace } = model.mesh
  const byNamespace = Map.groupBy(model.pods(), ({ namespace }) => namespace)
  const podsOf = ({ namespace, selector }: KubeService): readonly Pod[] =>
    (byNamespace.get(namespace) ?? []).filter((pod) => selects(selector, pod))
  return [
    ...model
      .services()
      .filter((service) => !service.externalName && !isOfWaypoint(service.labels))
      .flatMap((service) => ofService(service, podsOf(service), rootNamespace)),
    ...model.serviceEntries().flatMap((entry) => ofServiceEntry(entry, rootNamespace)),
    ...ofPods(model, rootNamespace, namedPorts),
  ]
}

interface Port {
  readonly port: number
  readonly name: string
  readonly protocol: string
  readonly appProtocol?: string | undefined
}

function ofService(service: KubeService, pods: readonly Pod[], root: string): readonly Destination[] {
  const { namespace, name, hostname, ports } = service
  const isGateway = pods.some(({ isRouter }) => isRouter)
  const target = { kind: 'Service', name } as const
  const mayConcern = (policy: AuthorizationPolicy): boolean => concerns(policy, { namespace, root, pods, target })
  const tcp = ports.filter(({ protocol }) => protocol !== 'UDP')
  return tcp.flatMap((port) =>
    ofPort('service', { namespace, name, host: hostname, isGateway, target, mayConcern }, port),
  )
}

function ofServiceEntry(entry: ServiceEntry, root: string): readonly Destination[] {
  const { namespace, name, hosts, ports } = entry
  const [host = ''] = hosts
  const target = { kind: 'ServiceEntry', name } as const
  const mayConcern = (policy: AuthorizationPolicy): boolean =>
    concerns(policy, { namespace, root, pods: undefined, target })
  return ports.flatMap((port) =>
    ofPort('ServiceEntry', { namespace, name, host, isGateway: false, target, mayConcern }, port),
  )
}

interface Named extends Pick<Destination, 'isGateway' | 'mayConcern' | 'host' | 'namespace' | 'target'> {
  readonly name: string
}

/** A port of which it is not said what it speaks may be asked either way. */
function ofPort(kind: string, { namespace, name, host, ...more }: Named, of: Port): readonly Destination[] {
  const { port } = of
  const speaks = more.isGateway ? 'http' : spoken(of)
  const one = {
    whole: undefined,
    to: { kind: 'service', namespace, name, port },
    host: hostWith(host, port),
    namespace,
    ...more,
  } as const
  const label = `${kind} ${namespace}/${name}:${port}`
  return [
    ...(speaks === 'tcp' ? [] : [{ ...one, name: label, asBytes: false }]),
    ...(speaks === 'http' ? [] : [{ ...one, name: speaks === 'tcp' ? label : label + AS_BYTES, asBytes: true }]),
  ]
}

const { AppProtocol } = workloadpb
const HTTP: ReadonlySet<workloadpb.AppProtocol> = new Set([AppProtocol.HTTP11, AppProtocol.HTTP2, AppProtocol.GRPC])

function spoken({ name, protocol, appProtocol }: Port): 'http' | 'tcp' | 'unknown' {
  const declared = appProtocolOf(appProtocol ?? (protocol === 'TCP' ? undefined : protocol), name)
  if (HTTP.has(declared)) return 'http'
  return declared === AppProtocol.UNKNOWN ? 'unknown' : 'tcp'
}

/** Ports of containers and services, those that policies name, and one that stands for all others. */
function ofPods(model: Model, root: string, namedPorts: NamedPorts): readonly Destination[] {
  const found = new Map<string, Destination>()
  const services = Map.groupBy(model.services(), ({ namespace }) => namespace)
  for (const pod of model.pods()) {
    if (pod.isRouter || isOfWaypoint(pod.labels) || pod.hostNetwork) continue
    const { namespace, name, workloadName, labels, serviceAccount } = pod
    const { 'pod-template-hash': _, ...alike } = labels
    const mayConcern = (policy: AuthorizationPolicy): boolean =>
      concerns(policy, { namespace, root, pods: [pod], target: undefined })
    const key = JSON.stringify([namespace, workloadName, serviceAccount, alike])
    if (found.has(`${key} ${OTHER_PORTS}`)) continue
    const known = new Set([
      ...portsOf(pod, services.get(namespace) ?? []),
      ...namedPorts({ namespace, target: undefined, mayConcern }),
    ])
    let other = FIRST_OTHER_PORT
    while (known.has(other)) other++
    const whole = `workload ${namespace}/${workloadName}`
    for (const port of [...known, other]) {
      const shown = port === other ? OTHER_PORTS : port
      found.set(`${key} ${shown}`, {
        name: `${whole}:${shown}`,
        whole,
        to: { kind: 'pod', namespace, name, port },
        host: hostWith(pod.ips[0] ?? '', port),
        isGateway: false,
        asBytes: false,
        namespace,
        target: undefined,
        mayConcern,
      })
    }
  }
  return [...found.values()]
}

/** The services are those of its namespace. */
function portsOf(pod: Pod, services: readonly KubeService[]): readonly number[] {
  const ofServices = services
    .filter(({ selector }) => selects(selector, pod))
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
