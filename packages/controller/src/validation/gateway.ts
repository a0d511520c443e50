import { isRecord, type Json, list, printed, record, text, texts } from '../watch/json.ts'
import { checkSelectorLabels } from './common-checks.ts'
import { addressProblem, isDnsLabel, portProblem, wildcardProblem } from './field-problems.ts'
import type { Report } from './report.ts'

/** Istio's Gateway. */
export function checkGateway(spec: Json, report: Report, { name }: { readonly name: string }): void {
  if (!isDnsLabel(name))
    report.error('metadata.name', `${JSON.stringify(name)} is no name of a Gateway: it has no dots`)
  const servers = list(spec['servers'])
  if (servers.length === 0) report.error('spec.servers', 'at least one is required')
  if (isRecord(spec['selector'])) checkSelectorLabels(spec['selector'], 'spec.selector', report)
  const names = new Set<unknown>()
  for (const [i, value] of servers.entries()) {
    const path = `spec.servers[${i}]`
    if (!isRecord(value)) {
      report.error(path, 'must not be null')
      continue
    }
    checkServer(value, path, report)
    const portName = record(value['port'])['name']
    if (names.has(portName)) report.error(`${path}.port.name`, `${JSON.stringify(portName)} stands there twice`)
    names.add(portName)
  }
}

const PROTOCOLS: ReadonlySet<string> = new Set(
  'HTTP HTTPS HTTP2 GRPC GRPC-WEB MONGO REDIS MYSQL TCP TLS UDP'.split(' '),
)

function checkServer(server: Json, path: string, report: Report): void {
  const hosts = texts(server['hosts'])
  if (hosts.length === 0) report.error(`${path}.hosts`, 'at least one is required')
  for (const host of hosts) checkHost(host, `${path}.hosts`, report)
  const { port } = server
  if (!isRecord(port)) return report.error(`${path}.port`, 'required')
  const protocol = (text(port['protocol']) ?? '').toUpperCase()
  const bind = text(server['bind']) ?? ''
  if (!PROTOCOLS.has(protocol))
    report.error(`${path}.port.protocol`, `${JSON.stringify(port['protocol'])} is none of ${[...PROTOCOLS].join(', ')}`)
  if (!bind.startsWith('unix://') || port['number']) report.check(`${path}.port.number`, portProblem(port['number']))
  if (port['targetPort']) report.error(`${path}.port.targetPort`, 'has no effect here')
  if (!port['name']) report.error(`${path}.port.name`, 'required')
  if (bind !== '' && !bind.startsWith('unix://')) report.check(`${path}.bind`, addressProblem(bind))
  checkTls(server['tls'], protocol, `${path}.tls`, report)
}

/** `host`, `namespace/host`, with `*` and `.` for namespaces. */
function checkHost(host: string, path: string, report: Report): void {
  const slash = host.indexOf('/')
  const [namespace, name] = slash < 0 ? ['*', host] : [host.slice(0, slash), host.slice(slash + 1)]
  if (namespace !== '*' && namespace !== '.' && !isDnsLabel(namespace))
    report.error(path, `${JSON.stringify(namespace)} is no namespace, * or .`)
  if (addressProblem(name) !== undefined) report.check(path, wildcardProblem(name))
}

const OF_CLIENTS: ReadonlySet<unknown> = new Set(['MUTUAL', 'OPTIONAL_MUTUAL'])
const WITHOUT_KEYS: ReadonlySet<unknown> = new Set([undefined, 'PASSTHROUGH', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL'])

function checkTls(value: unknown, protocol: string, path: string, report: Report): void {
  const isTls = protocol === 'HTTPS' || protocol === 'TLS'
  if (!isRecord(value)) {
    if (isTls) report.error(path, `required for ${protocol}`)
    return
  }
  const { mode, credentialName, httpsRedirect } = value
  const hasNames = Boolean(credentialName) || list(value['credentialNames']).length > 0
  if (!isTls) {
    const onlyRedirects = WITHOUT_KEYS.has(mode) && !hasNames && !value['privateKey'] && !value['serverCertificate']
    if (!onlyRedirects || protocol === 'TCP')
      report.error(path, `a port of ${protocol} has no TLS: only httpsRedirect may stand here`)
    return
  }
  if (httpsRedirect === true) report.warn(`${path}.httpsRedirect`, 'is for servers of plain HTTP')
  if (WITHOUT_KEYS.has(mode) && mode !== undefined) {
    if (mode === 'ISTIO_MUTUAL' && hasNames)
      report.error(`${path}.credentialName`, 'ISTIO_MUTUAL has the keys of the mesh')
    return
  }
  if (hasNames) return
  for (const field of ['serverCertificate', 'privateKey'])
    if (!value[field] && list(value['tlsCertificates']).length === 0)
      report.error(`${path}.${field}`, 'required without credentialName')
  if (OF_CLIENTS.has(mode) && !value['caCertificates'])
    report.error(`${path}.caCertificates`, `required for ${printed(mode)} without credentialName`)
}
