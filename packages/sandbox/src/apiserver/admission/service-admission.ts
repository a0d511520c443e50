import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, objectOf } from '../json.ts'
import type { RuleEnvironment } from '../resources/kind-rules.types.ts'

/** Defaults of a Service that need no allocation. */
export function defaultService(service: KubeObject, old: KubeObject | undefined): void {
  const spec = objectOf(service['spec'])
  service['spec'] = spec
  spec['type'] ??= 'ClusterIP'
  spec['sessionAffinity'] ??= 'None'
  for (const port of arrayOf(spec['ports'])) {
    if (!isObject(port)) continue
    port['protocol'] ??= 'TCP'
    if (port['targetPort'] === undefined || port['targetPort'] === 0 || port['targetPort'] === '')
      port['targetPort'] = port['port']
  }
  if (spec['type'] !== 'ExternalName') spec['internalTrafficPolicy'] ??= 'Cluster'
  if (spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer') spec['externalTrafficPolicy'] ??= 'Cluster'
  if (spec['type'] === 'LoadBalancer') spec['allocateLoadBalancerNodePorts'] ??= true
  if (old === undefined) {
    service['status'] = { loadBalancer: {} }
    return
  }
  // An update that leaves allocated fields out keeps them.
  const before = objectOf(old['spec'])
  if (spec['type'] === 'ExternalName') return
  for (const key of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'])
    if (spec[key] === undefined && before[key] !== undefined) spec[key] = structuredClone(before[key])
}

/** Gives a Service its addresses and node ports. */
export function allocateService(service: KubeObject, environment: RuleEnvironment): void {
  const spec = objectOf(service['spec'])
  if (spec['type'] === 'ExternalName') return
  if (spec['clusterIP'] === undefined && typeof arrayOf(spec['clusterIPs'])[0] === 'string')
    spec['clusterIP'] = arrayOf(spec['clusterIPs'])[0]
  const families = familiesOf(spec, environment.services.hasIpv6)
  spec['ipFamilies'] = families
  spec['ipFamilyPolicy'] = families.length > 1 ? (spec['ipFamilyPolicy'] ?? 'RequireDualStack') : 'SingleStack'
  if (spec['clusterIP'] === 'None') spec['clusterIPs'] = ['None']
  else {
    const wanted = arrayOf(spec['clusterIPs'])
    const ips = families.map((family, index) => {
      const asked = index === 0 && spec['clusterIP'] ? spec['clusterIP'] : wanted[index]
      return environment.services.clusterIp(family, typeof asked === 'string' && asked !== '' ? asked : undefined)
    })
    spec['clusterIPs'] = ips
    spec['clusterIP'] = ips[0]
  }
  if (spec['type'] !== 'NodePort' && spec['type'] !== 'LoadBalancer') return
  if (spec['type'] === 'LoadBalancer' && spec['allocateLoadBalancerNodePorts'] === false) return
  for (const port of arrayOf(spec['ports'])) {
    if (!isObject(port)) continue
    const wanted = port['nodePort']
    port['nodePort'] = environment.services.nodePort(typeof wanted === 'number' && wanted > 0 ? wanted : undefined)
  }
}

/** Allocations that an update needs anew, e.g. from ExternalName to ClusterIP. */
export function reallocateService(service: KubeObject, old: KubeObject, environment: RuleEnvironment): void {
  const spec = objectOf(service['spec'])
  const kept = new Set(arrayOf(at(old, 'spec', 'ports')).map((port) => at(port, 'nodePort')))
  if (at(old, 'spec', 'type') === 'ExternalName' && spec['type'] !== 'ExternalName')
    return allocateService(service, environment)
  if (spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer')
    for (const port of arrayOf(spec['ports'])) {
      if (!isObject(port)) continue
      const wanted = port['nodePort']
      if (typeof wanted === 'number' && kept.has(wanted)) continue
      port['nodePort'] = environment.services.nodePort(typeof wanted === 'number' && wanted > 0 ? wanted : undefined)
    }
}

function familiesOf(spec: JsonObject, hasIpv6: boolean): readonly ('IPv4' | 'IPv6')[] {
  const asked = arrayOf(spec['ipFamilies']).filter((family) => family === 'IPv4' || family === 'IPv6')
  if (typeof spec['clusterIP'] === 'string' && spec['clusterIP'].includes(':') && asked.length === 0) return ['IPv6']
  const dual = spec['ipFamilyPolicy'] === 'RequireDualStack' || spec['ipFamilyPolicy'] === 'PreferDualStack'
  const first = asked[0] ?? 'IPv4'
  if (!hasIpv6 || !(dual || asked.length > 1)) return [first]
  return [first, first === 'IPv4' ? 'IPv6' : 'IPv4']
}
