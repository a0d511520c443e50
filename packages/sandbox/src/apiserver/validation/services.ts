import { isIP } from 'node:net'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, type JsonObject, jsonEqual, objectOf, textOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { duplicateValue, forbiddenValue, invalidValue, requiredValue, unsupportedValue } from './causes.ts'
import { isPort } from './containers.ts'
import { isDnsLabel, isDnsSubdomain, LABEL_RULE } from './names.ts'

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const PROTOCOLS = ['TCP', 'UDP']
const POLICIES = ['Cluster', 'Local']
const PORT_RULE = 'must be between 1 and 65535, inclusive'
const MAX_AFFINITY_SECONDS = 86_400

/** What a Service may say, by Kubernetes' rules; SCTP, which the sandbox does not carry, is refused instead of ignored. */
export function validateService(service: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const spec = objectOf(service['spec'])
  const before = old === undefined ? undefined : objectOf(old['spec'])
  return [
    ...typeCauses(spec),
    ...portsCauses(spec),
    ...addressCauses(spec, before),
    ...policyCauses(spec),
    ...loadBalancerCauses(spec, before),
  ]
}

function typeCauses(spec: JsonObject): StatusCause[] {
  const { type, externalName } = spec
  if (!TYPES.includes(textOf(type))) return [unsupportedValue('spec.type', type, TYPES)]
  if (type !== 'ExternalName') {
    const needed = arrayOf(spec['ports']).length === 0 && spec['clusterIP'] !== 'None'
    return needed ? [requiredValue('spec.ports')] : []
  }
  const causes: StatusCause[] = []
  if (typeof externalName !== 'string' || !isDnsSubdomain(externalName.replace(/\.$/, '')))
    causes.push(requiredValue('spec.externalName', 'a DNS name'))
  if (arrayOf(spec['clusterIPs']).length > 0 || spec['clusterIP'])
    causes.push(forbiddenValue('spec.clusterIPs', "may not be set when `type` is 'ExternalName'"))
  return causes
}

function portsCauses(spec: JsonObject): StatusCause[] {
  const causes: StatusCause[] = []
  const ports = arrayOf(spec['ports'])
  const names = new Set<unknown>()
  const pairs = new Set<string>()
  const nodePairs = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const field = `spec.ports[${index}]`
    const { name, port: number, protocol, targetPort, nodePort } = objectOf(port)
    if (number === undefined) causes.push(requiredValue(`${field}.port`))
    else if (!isPort(number)) causes.push(invalidValue(`${field}.port`, number, PORT_RULE))
    if (protocol === 'SCTP')
      causes.push(invalidValue(`${field}.protocol`, protocol, 'the sandbox carries TCP and UDP only'))
    else if (!PROTOCOLS.includes(textOf(protocol)))
      causes.push(unsupportedValue(`${field}.protocol`, protocol, PROTOCOLS))
    if (typeof targetPort === 'number' && !isPort(targetPort))
      causes.push(invalidValue(`${field}.targetPort`, targetPort, PORT_RULE))
    if (ports.length > 1 && !name) causes.push(requiredValue(`${field}.name`))
    if (typeof name === 'string' && name !== '') {
      if (!isDnsLabel(name)) causes.push(invalidValue(`${field}.name`, name, LABEL_RULE))
      if (names.has(name)) causes.push(duplicateValue(`${field}.name`, name))
      names.add(name)
    }
    const pair = `${textOf(number)}/${textOf(protocol)}`
    if (pairs.has(pair)) causes.push(duplicateValue(field, port))
    pairs.add(pair)
    if (nodePort === undefined) continue
    if (spec['type'] === 'ClusterIP' || spec['type'] === 'ExternalName')
      causes.push(forbiddenValue(`${field}.nodePort`, `may not be used when \`type\` is '${spec['type']}'`))
    const nodePair = `${textOf(nodePort)}/${textOf(protocol)}`
    if (nodePairs.has(nodePair)) causes.push(duplicateValue(`${field}.nodePort`, nodePort))
    nodePairs.add(nodePair)
  }
  return causes
}

function addressCauses(spec: JsonObject, before: JsonObject | undefined): StatusCause[] {
  const causes: StatusCause[] = []
  const ip = spec['clusterIP']
  for (const [index, each] of arrayOf(spec['clusterIPs']).entries())
    if (each !== 'None' && isIP(textOf(each)) === 0)
      causes.push(invalidValue(`spec.clusterIPs[${index}]`, each, 'must be a valid IP address'))
  if (ip && arrayOf(spec['clusterIPs'])[0] !== ip)
    causes.push(invalidValue('spec.clusterIP', ip, 'must be the same as clusterIPs[0]'))
  if (ip === 'None' && (spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer'))
    causes.push(invalidValue('spec.clusterIPs[0]', ip, `may not be set to 'None' for ${spec['type']} services`))
  const former = before?.['type'] === 'ExternalName' ? undefined : before
  if (former?.['clusterIP'] !== undefined && spec['type'] !== 'ExternalName' && ip !== former['clusterIP'])
    causes.push(invalidValue('spec.clusterIPs[0]', ip ?? '', 'may not change once set'))
  const families = arrayOf(spec['ipFamilies'])
  for (const [index, family] of families.entries()) {
    const field = `spec.ipFamilies[${index}]`
    if (family !== 'IPv4' && family !== 'IPv6') causes.push(unsupportedValue(field, family, ['IPv4', 'IPv6']))
    else if (families.indexOf(family) < index) causes.push(duplicateValue(field, family))
  }
  const formerFamily = arrayOf(former?.['ipFamilies'])[0]
  if (formerFamily !== undefined && spec['type'] !== 'ExternalName' && families[0] !== formerFamily)
    causes.push(invalidValue('spec.ipFamilies[0]', families[0], 'may not change once set'))
  const policy = spec['ipFamilyPolicy']
  const known = ['SingleStack', 'PreferDualStack', 'RequireDualStack']
  if (policy !== undefined && !known.includes(textOf(policy)))
    causes.push(unsupportedValue('spec.ipFamilyPolicy', policy, known))
  for (const [index, each] of arrayOf(spec['externalIPs']).entries()) {
    const field = `spec.externalIPs[${index}]`
    if (isIP(textOf(each)) === 0) causes.push(invalidValue(field, each, 'must be a valid IP address'))
    else if (/^(127\.|0\.0\.0\.0$|169\.254\.|224\.|::1$|::$|fe80:|ff0)/i.test(textOf(each)))
      causes.push(invalidValue(field, each, 'may not be an unspecified, loopback, link-local or multicast address'))
  }
  return causes
}

function policyCauses(spec: JsonObject): StatusCause[] {
  const causes: StatusCause[] = []
  const affinity = spec['sessionAffinity']
  if (affinity !== 'None' && affinity !== 'ClientIP')
    causes.push(unsupportedValue('spec.sessionAffinity', affinity, ['ClientIP', 'None']))
  const seconds = at(spec, 'sessionAffinityConfig', 'clientIP', 'timeoutSeconds')
  if (seconds !== undefined && !(typeof seconds === 'number' && seconds >= 1 && seconds <= MAX_AFFINITY_SECONDS))
    causes.push(
      invalidValue(
        'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
        seconds,
        `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`,
      ),
    )
  const internal = spec['internalTrafficPolicy']
  if (internal !== undefined && !POLICIES.includes(textOf(internal)))
    causes.push(unsupportedValue('spec.internalTrafficPolicy', internal, POLICIES))
  const external = spec['externalTrafficPolicy']
  if (external === undefined) return causes
  if (!POLICIES.includes(textOf(external)))
    causes.push(unsupportedValue('spec.externalTrafficPolicy', external, POLICIES))
  const usable = ['NodePort', 'LoadBalancer'].includes(textOf(spec['type'])) || arrayOf(spec['externalIPs']).length > 0
  if (!usable)
    causes.push(
      invalidValue('spec.externalTrafficPolicy', external, 'may only be set for externally-accessible services'),
    )
  return causes
}

function loadBalancerCauses(spec: JsonObject, before: JsonObject | undefined): StatusCause[] {
  const causes: StatusCause[] = []
  const balances = spec['type'] === 'LoadBalancer'
  for (const key of ['loadBalancerClass', 'allocateLoadBalancerNodePorts'])
    if (!balances && spec[key] !== undefined)
      causes.push(forbiddenValue(`spec.${key}`, "may only be used when `type` is 'LoadBalancer'"))
  if (
    balances &&
    before?.['type'] === 'LoadBalancer' &&
    !jsonEqual(spec['loadBalancerClass'], before['loadBalancerClass'])
  )
    causes.push(invalidValue('spec.loadBalancerClass', spec['loadBalancerClass'] ?? '', 'may not change once set'))
  const health = spec['healthCheckNodePort']
  if (health !== undefined && !(balances && spec['externalTrafficPolicy'] === 'Local'))
    causes.push(
      invalidValue(
        'spec.healthCheckNodePort',
        health,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    )
  for (const [index, range] of arrayOf(spec['loadBalancerSourceRanges']).entries()) {
    const [ip = '', bits = ''] = textOf(range).trim().split('/')
    const longest = isIP(ip) === 6 ? 128 : 32
    if (isIP(ip) === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > longest)
      causes.push(
        invalidValue(`spec.loadBalancerSourceRanges[${index}]`, range, 'must be a valid CIDR value (e.g. 10.9.8.0/24)'),
      )
  }
  return causes
}
