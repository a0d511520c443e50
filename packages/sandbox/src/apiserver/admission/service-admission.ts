import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, objectOf, textOf } from '../json.ts'
import type { RuleEnvironment } from '../resources/kind-rules.types.ts'
import { withFamilies } from './service-families.ts'

/** Seconds for which a client stays with its endpoint (Kubernetes' default). */
const AFFINITY_SECONDS = 10_800
const ADDRESS_FIELDS = ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const

/** Defaults of a Service that need no allocation. */
export function defaultService(service: KubeObject, old: KubeObject | undefined): void {
  const spec = objectOf(service['spec'])
  service['spec'] = spec
  spec['type'] ??= 'ClusterIP'
  spec['sessionAffinity'] ??= 'None'
  if (spec['sessionAffinity'] === 'ClientIP') {
    const timeoutSeconds = at(spec, 'sessionAffinityConfig', 'clientIP', 'timeoutSeconds') ?? AFFINITY_SECONDS
    spec['sessionAffinityConfig'] = { clientIP: { timeoutSeconds } }
  } else delete spec['sessionAffinityConfig']
  for (const port of arrayOf(spec['ports'])) {
    if (!isObject(port)) continue
    port['protocol'] ??= 'TCP'
    if (port['nodePort'] === 0) delete port['nodePort']
    if (port['targetPort'] === undefined || port['targetPort'] === 0 || port['targetPort'] === '')
      port['targetPort'] = port['port']
  }
  if (spec['type'] !== 'ExternalName') spec['internalTrafficPolicy'] ??= 'Cluster'
  if (isExternal(spec)) spec['externalTrafficPolicy'] ??= 'Cluster'
  if (spec['type'] === 'LoadBalancer') spec['allocateLoadBalancerNodePorts'] ??= true
  if (old === undefined) {
    service['status'] = { loadBalancer: {} }
    return
  }
  const before = objectOf(old['spec'])
  dropFieldsOfFormerType(spec, before)
  if (spec['type'] !== 'ExternalName') keepAllocations(spec, before)
}

/** Whether the outside reaches it by a port of its own. */
function isExternal(spec: JsonObject): boolean {
  const { type } = spec
  return type === 'NodePort' || type === 'LoadBalancer' || arrayOf(spec['externalIPs']).length > 0
}

function wantsNodePorts(spec: JsonObject): boolean {
  return spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer'
}

/** What only the former type had goes with it, unless the update says something new of it. */
function dropFieldsOfFormerType(spec: JsonObject, before: JsonObject): void {
  const drop = (key: string): void => {
    if (JSON.stringify(spec[key]) === JSON.stringify(before[key])) delete spec[key]
  }
  if (spec['type'] === 'ExternalName' && before['type'] !== 'ExternalName') {
    for (const key of [...ADDRESS_FIELDS, 'internalTrafficPolicy']) drop(key)
  }
  if (wantsNodePorts(before) && !wantsNodePorts(spec)) {
    const former = new Set(arrayOf(before['ports']).map((port) => at(port, 'nodePort')))
    for (const port of arrayOf(spec['ports'])) {
      if (isObject(port) && former.has(port['nodePort'])) delete port['nodePort']
    }
  }
  if (isExternal(before) && !isExternal(spec)) drop('externalTrafficPolicy')
  if (before['type'] === 'LoadBalancer' && spec['type'] !== 'LoadBalancer') {
    for (const key of ['allocateLoadBalancerNodePorts', 'loadBalancerClass']) drop(key)
  }
  if (!wantsHealthCheck(spec)) drop('healthCheckNodePort')
}

/** An update that leaves allocated fields out keeps them. */
function keepAllocations(spec: JsonObject, before: JsonObject): void {
  if (before['type'] !== 'ExternalName') {
    for (const key of ADDRESS_FIELDS)
      if (spec[key] === undefined && before[key] !== undefined) spec[key] = structuredClone(before[key])
  }
  if (wantsHealthCheck(spec)) spec['healthCheckNodePort'] ??= before['healthCheckNodePort']
  if (!wantsNodePorts(spec)) return
  const key = (port: unknown): string => `${textOf(at(port, 'protocol') ?? 'TCP')} ${textOf(at(port, 'port'))}`
  const kept = new Map(arrayOf(before['ports']).map((port) => [key(port), at(port, 'nodePort')]))
  const taken = new Set(arrayOf(spec['ports']).map((port) => at(port, 'nodePort')))
  for (const port of arrayOf(spec['ports'])) {
    const former = kept.get(key(port))
    if (isObject(port) && port['nodePort'] === undefined && former !== undefined && !taken.has(former))
      port['nodePort'] = former
  }
}

function wantsHealthCheck(spec: JsonObject): boolean {
  return spec['type'] === 'LoadBalancer' && spec['externalTrafficPolicy'] === 'Local'
}

/** Gives a Service its addresses and node ports. */
export function allocateService(service: KubeObject, environment: RuleEnvironment): void {
  const spec = objectOf(service['spec'])
  if (spec['type'] === 'ExternalName') return
  const name = service.metadata.name ?? ''
  allocateAddresses(spec, name, undefined, environment)
  allocatePorts(spec, name, new Set(), environment)
}

/** Allocations that an update needs anew: a second family, another type, another port. */
export function reallocateService(service: KubeObject, old: KubeObject, environment: RuleEnvironment): void {
  const spec = objectOf(service['spec'])
  if (spec['type'] === 'ExternalName') return
  if (at(old, 'spec', 'type') === 'ExternalName') return allocateService(service, environment)
  const name = service.metadata.name ?? ''
  allocateAddresses(spec, name, objectOf(old['spec']), environment)
  const kept = new Set(arrayOf(at(old, 'spec', 'ports')).map((port) => at(port, 'nodePort')))
  kept.add(at(old, 'spec', 'healthCheckNodePort'))
  allocatePorts(spec, name, kept, environment)
}

function allocateAddresses(
  spec: JsonObject,
  name: string,
  before: JsonObject | undefined,
  { services }: RuleEnvironment,
): void {
  const listed = arrayOf(spec['clusterIPs'])
  if (!spec['clusterIP'] && typeof listed[0] === 'string') spec['clusterIP'] = listed[0]
  const families = withFamilies(spec, before, name, services.hasIpv6)
  if (spec['clusterIP'] === 'None') {
    spec['clusterIPs'] = ['None']
    return
  }
  const former = new Set(arrayOf(before?.['clusterIPs']))
  const ips = families.map((family, index) => {
    const asked = index === 0 && spec['clusterIP'] ? spec['clusterIP'] : listed[index]
    if (asked !== undefined && former.has(asked)) return asked
    return services.clusterIp(family, typeof asked === 'string' && asked !== '' ? asked : undefined, name)
  })
  spec['clusterIPs'] = ips
  spec['clusterIP'] = ips[0]
}

function allocatePorts(
  spec: JsonObject,
  name: string,
  kept: ReadonlySet<unknown>,
  { services }: RuleEnvironment,
): void {
  if (wantsHealthCheck(spec)) {
    const asked = spec['healthCheckNodePort']
    if (asked === undefined || !kept.has(asked))
      spec['healthCheckNodePort'] = services.nodePort(typeof asked === 'number' ? asked : undefined, name, new Set())
  }
  if (!wantsNodePorts(spec)) return
  const automatic = spec['allocateLoadBalancerNodePorts'] !== false
  const own = new Set<number>()
  for (const port of arrayOf(spec['ports'])) {
    if (!isObject(port)) continue
    const asked = typeof port['nodePort'] === 'number' && port['nodePort'] > 0 ? port['nodePort'] : undefined
    if (asked === undefined && !automatic) continue
    // One number for a TCP and a UDP port of the same service is what people ask for with DNS.
    const isOwn = asked !== undefined && (kept.has(asked) || own.has(asked))
    const number = isOwn ? asked : services.nodePort(asked, name, own)
    port['nodePort'] = number
    own.add(number)
  }
}
