import { workloadpb } from '@ambit/api'
import type { KubeService, Pod, ServiceEntry } from '@ambit/controller/judgement'
import { appProtocolOf } from '@ambit/controller/judgement'
import { ipFamily, parseIp } from '@ambit/core'
import type { Service } from '@ambit/state'
import type { CompiledMesh } from '../compile/compile-mesh.ts'
import { AmbiguousNameError } from '../errors.ts'
import type { Question, TargetRef } from '../question.types.ts'
import type { Client } from './client.types.ts'
import { uidOf } from './find-client.ts'
import { notFound } from './not-found.ts'
import type { Target } from './target.types.ts'

/** What the client dials when it asks for this. */
export function findTarget(compiled: CompiledMesh, { to, request, sni }: Question, client: Client): Target {
  const asked = { port: to.port, isRequest: request !== undefined, isTls: sni !== undefined }
  switch (to.kind) {
    case 'service':
      return ofService(compiled, to, client, asked)
    case 'pod':
      return ofPod(compiled, to, asked)
    case 'host':
      return ofHost(compiled, to.host, client, asked)
  }
}

interface Asked {
  readonly port: number | undefined
  readonly isRequest: boolean
  readonly isTls: boolean
}

type Named<K extends TargetRef['kind']> = Extract<TargetRef, { readonly kind: K }>

function ofService(
  compiled: CompiledMesh,
  { namespace, name }: Named<'service'>,
  client: Client,
  asked: Asked,
): Target {
  const { state } = compiled.judgement
  const service = state.services.get(namespace, name)
  if (service !== undefined) return ofKubeService(compiled, service, asked)
  const entry = state.serviceEntries.get(namespace, name)
  if (entry !== undefined) return ofServiceEntry(compiled, entry, entry.hosts[0] ?? '', client, asked)
  const known = [...state.services, ...state.serviceEntries].map((one) => `${one.namespace}/${one.name}`)
  throw notFound('service', `${namespace}/${name}`, known)
}

function ofKubeService(compiled: CompiledMesh, service: KubeService, asked: Asked): Target {
  const { namespace, name, hostname } = service
  const object = { kind: 'Service', namespace, name } as const
  const what = `service ${namespace}/${name}`
  if (service.externalName)
    return {
      name: what,
      host: hostname,
      address: undefined,
      port: asked.port ?? 0,
      object,
      gaps: [`${what} is another name for something outside`],
    }
  const { port, gap } = portOf(what, service.ports, asked)
  const gaps = gap === undefined ? [] : [gap]
  const address = service.clusterIps.find((ip) => ipFamily(ip) === 4) ?? service.clusterIps[0]
  if (address !== undefined) return { name: what, host: hostname, address: { ip: address, port }, port, object, gaps }
  // DNS answers for a headless service with the addresses of its pods.
  const held = compiled.workloads.service(`${namespace}/${hostname}`)
  const [endpoint] = held === undefined ? [] : compiled.workloads.usableEndpoints(held)
  const pod = endpoint && compiled.workloads.workload(endpoint.workloadUid)
  const [ip] = pod?.ips ?? []
  const headless = `${what} is headless: its name stands for the addresses of its pods, of which one is asked about`
  return { name: what, host: hostname, address: ip && { ip, port }, port, object, gaps: [...gaps, headless] }
}

function ofServiceEntry(
  compiled: CompiledMesh,
  entry: ServiceEntry,
  host: string,
  client: Client,
  asked: Asked,
): Target {
  const { namespace, name } = entry
  const what = `ServiceEntry ${namespace}/${name} (${host})`
  const { port, gap } = portOf(what, entry.ports, asked)
  const gaps = gap === undefined ? [] : [gap]
  const object = { kind: 'ServiceEntry', namespace, name } as const
  const held: Service | undefined = compiled.workloads.service(`${namespace}/${host}`)
  const vips = held?.vips ?? []
  // An address that only the mesh's DNS tells of is unknown to who is not captured.
  const usable = client.isCaptured ? vips : vips.filter(({ ip }) => entry.addresses.some((one) => one.ip === ip))
  const vip = usable.find(({ ip }) => ipFamily(ip) === 4) ?? usable[0]
  return { name: what, host, address: vip && { ip: vip.ip, port }, port, object, gaps }
}

function ofPod(compiled: CompiledMesh, { namespace, name }: Named<'pod'>, asked: Asked): Target {
  const { pods } = compiled.judgement.state
  const pod =
    pods.get(namespace, name) ?? [...pods.in(namespace)].find((one) => one.running && one.workloadName === name)
  const [ip] = pod?.ips ?? []
  if (pod === undefined || ip === undefined)
    throw notFound(
      'pod',
      `${namespace}/${name}`,
      [...pods].map((one) => `${one.namespace}/${one.name}`),
    )
  const what = `pod ${namespace}/${pod.name}`
  const { port, gap } = portOf(what, podPorts(compiled, pod), asked)
  const object = { kind: 'Pod', namespace, name: pod.name } as const
  return { name: what, host: ip, address: { ip, port }, port, object, gaps: gap === undefined ? [] : [gap] }
}

/** Of its containers, else of the services that it serves. */
function podPorts({ workloads, mesh }: CompiledMesh, pod: Pod): readonly AskedPort[] {
  if (pod.ports.length > 0) return pod.ports
  const workload = workloads.workload(uidOf({ mesh } as CompiledMesh, pod))
  const targets = [...(workload?.services.values() ?? [])].flatMap((ports) => [...ports.values()])
  return [...new Set(targets)].map((port) => ({ port, name: '', protocol: 'TCP' }))
}

function ofHost(compiled: CompiledMesh, host: string, client: Client, asked: Asked): Target {
  const address = parseIp(host)
  const known = (port: number | undefined): number => port ?? (asked.isTls ? 443 : 80)
  if (address !== undefined) {
    const port = asked.port ?? portAtAddress(compiled, address, client, asked)
    return { name: host, host, address: { ip: address, port: known(port) }, port: known(port), gaps: [] }
  }
  const name = host.toLowerCase().replace(/\.$/, '')
  const { state } = compiled.judgement
  const { domain } = compiled.mesh
  // As the search list of a pod completes names.
  const spellings =
    client.namespace === ''
      ? [name, `${name}.${domain}`, `${name}.svc.${domain}`]
      : [name, `${name}.${client.namespace}.svc.${domain}`, `${name}.svc.${domain}`, `${name}.${domain}`]
  for (const hostname of spellings) {
    const service = kubeServiceOf(compiled, hostname)
    if (service !== undefined) return { ...ofKubeService(compiled, service, asked), host: name }
    const found = compiled.workloads.serviceByHostname(hostname, client.namespace)
    const entry =
      found &&
      [...state.serviceEntries.in(found.namespace)].find(
        (one) => one.name === found.name && one.hosts.includes(hostname),
      )
    if (entry !== undefined) return { ...ofServiceEntry(compiled, entry, hostname, client, asked), host: name }
  }
  if (!name.includes('.')) throw notFound('service', name, serviceNames(compiled, client))
  const port = known(asked.port)
  return {
    name,
    host: name,
    address: undefined,
    port,
    gaps: [`${name} is a name of nothing in the mesh: what it stands for is not known here`],
  }
}

/** Also of those that proxies are not told of. */
function kubeServiceOf({ judgement, mesh }: CompiledMesh, hostname: string): KubeService | undefined {
  const suffix = `.svc.${mesh.domain}`
  if (!hostname.endsWith(suffix)) return undefined
  const [name = '', namespace = '', ...rest] = hostname.slice(0, -suffix.length).split('.')
  return rest.length > 0 ? undefined : judgement.state.services.get(namespace, name)
}

function serviceNames({ judgement }: CompiledMesh, client: Client): readonly string[] {
  return [...judgement.state.services].map(({ namespace, name }) =>
    namespace === client.namespace ? name : `${name}.${namespace}`,
  )
}

function portAtAddress(compiled: CompiledMesh, address: string, client: Client, asked: Asked): number | undefined {
  const ip = parseIp(address)
  const service = ip && compiled.workloads.serviceByVip(compiled.mesh.network, ip, client.namespace)
  if (service === undefined) return undefined
  const ports = [...service.ports.keys()].map((port) => ({ port, name: '', protocol: 'TCP' }))
  return portOf(`service ${service.namespace}/${service.name}`, ports, asked).port
}

interface AskedPort {
  readonly port: number
  readonly name: string
  readonly protocol: string
  readonly appProtocol?: string | undefined
}

/** The port that was named; else the only one, or of several the only one for requests. */
function portOf(
  what: string,
  all: readonly AskedPort[],
  { port, isRequest }: Asked,
): { readonly port: number; readonly gap?: string } {
  const ports = all.filter(({ protocol }) => protocol !== 'UDP')
  if (port !== undefined) {
    const isKnown = ports.length === 0 || ports.some((one) => one.port === port)
    return isKnown ? { port } : { port, gap: `${what} has no port ${port}: it has ${spell(ports)}` }
  }
  const [only, ...others] = ports
  if (only !== undefined && others.length === 0) return { port: only.port }
  const forRequests = ports.filter((one) => isHttp(one))
  const [http] = forRequests
  if (isRequest && http !== undefined && forRequests.length === 1) return { port: http.port }
  if (ports.length === 0) throw new AmbiguousNameError(`${what} names no port: say which one is meant, as in NAME:PORT`)
  throw new AmbiguousNameError(`${what} has the ports ${spell(ports)}: say which one is meant, as in NAME:PORT`)
}

function spell(ports: readonly AskedPort[]): string {
  return ports.map(({ port, name }) => (name === '' ? `${port}` : `${port} (${name})`)).join(', ')
}

function isHttp({ appProtocol, name, protocol }: AskedPort): boolean {
  const declared = appProtocolOf(appProtocol ?? (protocol === 'TCP' ? undefined : protocol), name)
  return HTTP.has(declared)
}

const { AppProtocol } = workloadpb
const HTTP: ReadonlySet<workloadpb.AppProtocol> = new Set([AppProtocol.HTTP11, AppProtocol.HTTP2, AppProtocol.GRPC])
