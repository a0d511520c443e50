import { BlockList, isIP } from 'node:net'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, objectOf, textOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { forbiddenValue, immutable, invalidValue, requiredValue, unsupportedValue } from './causes.ts'
import { isPort } from './containers.ts'
import { selectorCauses } from './label-selectors.ts'
import { isDnsSubdomain, SUBDOMAIN_RULE } from './names.ts'

const PROTOCOLS = ['SCTP', 'TCP', 'UDP']
const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix']
const PORT_RULE = 'must be between 1 and 65535, inclusive'

export function validateEndpoints(endpoints: KubeObject): readonly StatusCause[] {
  const causes: StatusCause[] = []
  for (const [index, subset] of arrayOf(endpoints['subsets']).entries()) {
    const field = `subsets[${index}]`
    for (const key of ['addresses', 'notReadyAddresses'])
      for (const [each, address] of arrayOf(at(subset, key)).entries())
        if (isIP(String(at(address, 'ip'))) === 0)
          causes.push(invalidValue(`${field}.${key}[${each}].ip`, at(address, 'ip'), 'must be a valid IP address'))
    for (const [each, port] of arrayOf(at(subset, 'ports')).entries())
      if (!isPort(at(port, 'port')))
        causes.push(invalidValue(`${field}.ports[${each}].port`, at(port, 'port'), PORT_RULE))
  }
  return causes
}

export function validateNetworkPolicy(policy: KubeObject): readonly StatusCause[] {
  const spec = objectOf(policy['spec'])
  const causes: StatusCause[] = [...selectorCauses('spec.podSelector', spec['podSelector'])]
  for (const [index, type] of arrayOf(spec['policyTypes']).entries())
    if (type !== 'Ingress' && type !== 'Egress')
      causes.push(unsupportedValue(`spec.policyTypes[${index}]`, type, ['Egress', 'Ingress']))
  for (const [direction, peers] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const)
    for (const [index, rule] of arrayOf(spec[direction]).entries()) {
      const field = `spec.${direction}[${index}]`
      for (const [each, port] of arrayOf(at(rule, 'ports')).entries())
        causes.push(...policyPortCauses(port, `${field}.ports[${each}]`))
      for (const [each, peer] of arrayOf(at(rule, peers)).entries())
        causes.push(...peerCauses(peer, `${field}.${peers}[${each}]`))
    }
  return causes
}

function policyPortCauses(port: unknown, field: string): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const number = at(port, 'port')
  const end = at(port, 'endPort')
  if (!PROTOCOLS.includes(String(at(port, 'protocol'))))
    causes.push(unsupportedValue(`${field}.protocol`, at(port, 'protocol'), PROTOCOLS))
  if (typeof number === 'number' && !isPort(number)) causes.push(invalidValue(`${field}.port`, number, PORT_RULE))
  if (end === undefined) return causes
  if (typeof number !== 'number')
    causes.push(invalidValue(`${field}.endPort`, end, 'may not be specified when `port` is not a number'))
  else if (Number(end) < number)
    causes.push(invalidValue(`${field}.endPort`, end, 'must be greater than or equal to `port`'))
  return causes
}

function peerCauses(peer: unknown, field: string): readonly StatusCause[] {
  const block = at(peer, 'ipBlock')
  const hasSelector = at(peer, 'podSelector') !== undefined || at(peer, 'namespaceSelector') !== undefined
  if (block === undefined)
    return hasSelector
      ? [
          ...selectorCauses(`${field}.podSelector`, at(peer, 'podSelector')),
          ...selectorCauses(`${field}.namespaceSelector`, at(peer, 'namespaceSelector')),
        ]
      : [requiredValue(field, 'must specify a peer')]
  if (hasSelector) return [forbiddenValue(field, 'may not specify both ipBlock and another peer')]
  const cidr = at(block, 'cidr')
  const except = arrayOf(at(block, 'except'))
  const wrong = [cidr, ...except].filter((each) => !isCidr(each))
  if (wrong.length > 0) return wrong.map((each) => invalidValue(`${field}.ipBlock`, each, 'must be a valid CIDR value'))
  return except.flatMap((each, index) =>
    isWithin(String(each), String(cidr))
      ? []
      : [invalidValue(`${field}.ipBlock.except[${index}]`, each, 'must be a strict subset of `cidr`')],
  )
}

function isWithin(inner: string, outer: string): boolean {
  const [[innerIp = '', innerBits], [ip = '', bits]] = [inner.split('/'), outer.split('/')]
  const family = isIP(ip) === 6 ? 'ipv6' : 'ipv4'
  if (isIP(innerIp) !== isIP(ip) || Number(innerBits) <= Number(bits)) return false
  const block = new BlockList()
  block.addSubnet(ip, Number(bits), family)
  return block.check(innerIp, family)
}

function isCidr(value: unknown): boolean {
  const [address = '', bits = '', more] = String(value).split('/')
  const version = isIP(address)
  return version !== 0 && more === undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)
}

export function validateIngress(ingress: KubeObject): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const spec = objectOf(ingress['spec'])
  const rules = arrayOf(spec['rules'])
  if (rules.length === 0 && spec['defaultBackend'] === undefined)
    causes.push(invalidValue('spec', [], 'either `defaultBackend` or `rules` must be specified'))
  if (spec['defaultBackend'] !== undefined) causes.push(...backendCauses(spec['defaultBackend'], 'spec.defaultBackend'))
  for (const [index, rule] of rules.entries()) {
    const field = `spec.rules[${index}]`
    const host = at(rule, 'host')
    if (typeof host === 'string' && host !== '' && !isDnsSubdomain(host.replace(/^\*\./, '')))
      causes.push(invalidValue(`${field}.host`, host, SUBDOMAIN_RULE))
    const http = at(rule, 'http')
    if (isObject(http) && arrayOf(http['paths']).length === 0) causes.push(requiredValue(`${field}.http.paths`))
    for (const [each, path] of arrayOf(at(http, 'paths')).entries())
      causes.push(...pathCauses(path, `${field}.http.paths[${each}]`))
  }
  return causes
}

function pathCauses(path: unknown, field: string): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const type = at(path, 'pathType')
  const text = at(path, 'path')
  if (type === undefined) causes.push(requiredValue(`${field}.pathType`, 'pathType must be specified'))
  else if (!PATH_TYPES.includes(textOf(type))) causes.push(unsupportedValue(`${field}.pathType`, type, PATH_TYPES))
  const isLoose = type === 'ImplementationSpecific' && (text === undefined || text === '')
  if (!isLoose && !(typeof text === 'string' && text.startsWith('/')))
    causes.push(invalidValue(`${field}.path`, text ?? '', 'must be an absolute path'))
  causes.push(...backendCauses(at(path, 'backend'), `${field}.backend`))
  return causes
}

function backendCauses(backend: unknown, field: string): readonly StatusCause[] {
  const service = at(backend, 'service')
  const resource = at(backend, 'resource')
  if (service !== undefined && resource !== undefined)
    return [invalidValue(field, '', 'cannot set both resource and service backends')]
  if (resource !== undefined) return []
  const causes: StatusCause[] = []
  if (!at(service, 'name')) causes.push(requiredValue(`${field}.service.name`))
  const number = at(service, 'port', 'number')
  const name = at(service, 'port', 'name')
  if (!number && !name) causes.push(requiredValue(field, 'port name or number is required'))
  else if (number && name) causes.push(invalidValue(field, '', 'cannot set both port name & port number'))
  else if (number && !isPort(number)) causes.push(invalidValue(`${field}.service.port.number`, number, PORT_RULE))
  return causes
}

export function validateIngressClass(item: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const controller = at(item, 'spec', 'controller')
  if (typeof controller !== 'string' || controller === '') causes.push(requiredValue('spec.controller'))
  else if (!controller.includes('/'))
    causes.push(invalidValue('spec.controller', controller, 'must be a domain-prefixed path (such as "acme.io/foo")'))
  if (old !== undefined && controller !== at(old, 'spec', 'controller'))
    causes.push(immutable('spec.controller', controller))
  return causes
}
