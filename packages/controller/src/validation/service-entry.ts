import { parseIp } from '@ambit/core'
import { isRecord, type Json, list, printed, record, text, texts } from '../watch/json.ts'
import { checkExportTo, checkSelectorLabels } from './common-checks.ts'
import { labelsProblem, nameProblem, networkProblem, portProblem, wildcardProblem } from './field-problems.ts'
import type { Report } from './report.ts'

const PROTOCOLS: ReadonlySet<string> = new Set(
  'HTTP HTTPS HTTP2 GRPC GRPC-WEB MONGO REDIS MYSQL TCP TLS UDP HBONE'.split(' '),
)
const OF_HTTP_OR_TLS: ReadonlySet<string> = new Set('HTTP HTTPS HTTP2 GRPC GRPC-WEB TLS'.split(' '))
const RESOLVING: ReadonlySet<string> = new Set(['DNS', 'DNS_ROUND_ROBIN'])

export function checkServiceEntry(spec: Json, report: Report, { namespace }: { readonly namespace: string }): void {
  const hosts = texts(spec['hosts'])
  const addresses = texts(spec['addresses'])
  const endpoints = list(spec['endpoints'])
  const ports = list(spec['ports']).map(record)
  const resolution = text(spec['resolution']) ?? 'NONE'
  if (hosts.length === 0) report.error('spec.hosts', 'at least one is required')
  for (const host of hosts) {
    if (host === '*')
      report.error('spec.hosts', '* would be every host: name them, or a wildcard such as *.example.com')
    else report.check('spec.hosts', wildcardProblem(host))
  }
  const selector = spec['workloadSelector']
  if (isRecord(selector)) checkSelectorLabels(selector['labels'], 'spec.workloadSelector.labels', report)
  if (isRecord(selector) && endpoints.length > 0)
    report.error('spec', 'only one of workloadSelector and endpoints may be set')
  for (const address of addresses) report.check('spec.addresses', networkProblem(address))
  if (addresses.some((address) => address.includes('/')) && resolution !== 'NONE' && resolution !== 'STATIC')
    report.error('spec.addresses', 'networks are possible for resolution NONE and STATIC only')
  checkPorts(ports, report)
  checkResolution({ hosts, addresses, endpoints, ports, resolution }, report)
  const plain = ports.some(({ protocol }) => !OF_HTTP_OR_TLS.has((text(protocol) ?? '').toUpperCase()))
  if (resolution !== 'NONE' && hosts.length > 1 && plain)
    report.error('spec.hosts', 'several hosts can only be told apart on ports of HTTP or TLS')
  checkExportTo(spec['exportTo'], report, { namespace, mayBeNobody: true })
}

function checkPorts(ports: readonly Json[], report: Report): void {
  const [names, numbers] = [new Set<unknown>(), new Set<unknown>()]
  for (const [i, { name, number, targetPort, protocol }] of ports.entries()) {
    const path = `spec.ports[${i}]`
    if (names.has(name)) report.error(`${path}.name`, `${JSON.stringify(name)} stands there twice`)
    if (numbers.has(number)) report.error(`${path}.number`, `${JSON.stringify(number)} stands there twice`)
    names.add(name)
    numbers.add(number)
    checkPortName(text(name) ?? '', `${path}.name`, report)
    report.check(`${path}.number`, portProblem(number))
    if (targetPort !== undefined && targetPort !== 0) report.check(`${path}.targetPort`, portProblem(targetPort))
    if (protocol !== undefined && protocol !== '' && !PROTOCOLS.has((text(protocol) ?? '').toUpperCase()))
      report.error(`${path}.protocol`, `${JSON.stringify(protocol)} is none of ${[...PROTOCOLS].join(', ')}`)
  }
}

function checkPortName(name: string, path: string, report: Report): void {
  if (!/^[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/.test(name))
    report.error(path, `${JSON.stringify(name)} is no name of a port: letters, digits and inner hyphens, at most 63`)
}

interface EntryFacts {
  readonly hosts: readonly string[]
  readonly addresses: readonly string[]
  readonly endpoints: readonly unknown[]
  readonly ports: readonly Json[]
  readonly resolution: string
}

function checkResolution({ hosts, addresses, endpoints, ports, resolution }: EntryFacts, report: Report): void {
  const names = new Set(ports.map(({ name }) => name))
  if (resolution === 'NONE' && endpoints.length > 0)
    report.error('spec.endpoints', 'resolution NONE goes where the client goes: it has no endpoints')
  if (resolution === 'STATIC' || RESOLVING.has(resolution))
    for (const [i, endpoint] of endpoints.entries())
      checkEndpoint(record(endpoint), `spec.endpoints[${i}]`, report, { names, needsIp: resolution === 'STATIC' })
  if (RESOLVING.has(resolution) && endpoints.length === 0)
    for (const host of hosts) {
      const problem = nameProblem(host)
      if (problem !== undefined)
        report.error('spec.hosts', `without endpoints ${resolution} asks for the host: ${problem}`)
    }
  if (resolution === 'DNS_ROUND_ROBIN' && endpoints.length > 1)
    report.error('spec.endpoints', 'DNS_ROUND_ROBIN has one endpoint at most')
  if (resolution === 'DYNAMIC_DNS') checkDynamic({ hosts, addresses, endpoints, ports, resolution }, report)
}

const DYNAMIC: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC', 'TLS'])

function checkDynamic({ hosts, addresses, endpoints, ports }: EntryFacts, report: Report): void {
  for (const host of hosts) if (!host.startsWith('*')) report.error('spec.hosts', 'DYNAMIC_DNS is for wildcards')
  if (addresses.length > 0) report.error('spec.addresses', 'DYNAMIC_DNS has none: the host says where a request goes')
  if (endpoints.length > 0) report.error('spec.endpoints', 'DYNAMIC_DNS has none: the host says where a request goes')
  for (const [i, { protocol }] of ports.entries())
    if (!DYNAMIC.has(printed(protocol).toUpperCase()))
      report.error(`spec.ports[${i}].protocol`, `DYNAMIC_DNS is for ${[...DYNAMIC].join(', ')}`)
}

export interface EndpointContext {
  /** Names of the ServiceEntry's ports; undefined: there is none around. */
  readonly names: ReadonlySet<unknown> | undefined
  readonly needsIp: boolean
}

/** An endpoint inside a ServiceEntry, or a WorkloadEntry. */
export function checkEndpoint(endpoint: Json, path: string, report: Report, { names, needsIp }: EndpointContext): void {
  const address = text(endpoint['address']) ?? ''
  const ports = Object.entries(record(endpoint['ports']))
  if (address === '' && !endpoint['network']) report.error(`${path}.address`, 'required')
  if (address.startsWith('unix://')) {
    const socket = address.slice('unix://'.length)
    if (!socket.startsWith('@') && (!socket.startsWith('/') || socket.endsWith('/')))
      report.error(`${path}.address`, `${JSON.stringify(socket)} is no absolute path of a socket`)
    if (ports.length > 0) report.error(`${path}.ports`, 'a Unix socket has none')
  } else if (address !== '' && parseIp(address) === undefined) {
    if (needsIp) report.error(`${path}.address`, `${JSON.stringify(address)} is no IP address, which STATIC needs`)
    else report.check(`${path}.address`, nameProblem(address))
  }
  for (const [name, port] of ports) {
    if (names !== undefined && !names.has(name))
      report.error(`${path}.ports[${name}]`, 'spec.ports has none of that name')
    checkPortName(name, `${path}.ports[${name}]`, report)
    report.check(`${path}.ports[${name}]`, portProblem(port))
  }
  report.check(`${path}.labels`, labelsProblem(endpoint['labels']))
}
