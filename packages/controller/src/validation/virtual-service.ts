import { MAX_COMPARED_HOSTS } from '../limits.ts'
import { isRecord, type Json, list, record, texts } from '../watch/json.ts'
import { checkExportTo } from './common-checks.ts'
import {
  addressProblem,
  covers,
  isDnsLabel,
  labelsProblem,
  networkProblem,
  portProblem,
  wildcardProblem,
} from './field-problems.ts'
import { checkDestination, checkHttpRule } from './http-rule.ts'
import type { Report } from './report.ts'

export function checkVirtualService(spec: Json, report: Report, { namespace }: { readonly namespace: string }): void {
  const hosts = texts(spec['hosts'])
  const gateways = texts(spec['gateways'])
  const isForMesh = gateways.length === 0 || gateways.includes('mesh')
  const isDelegate = hosts.length === 0
  if (isDelegate) checkDelegate(spec, report)
  for (const gateway of gateways) checkGatewayName(gateway, 'spec.gateways', report)
  checkHosts(hosts, report, isForMesh)
  const [http, tls, tcp] = (['http', 'tls', 'tcp'] as const).map((field) => list(spec[field])) as [
    readonly unknown[],
    readonly unknown[],
    readonly unknown[],
  ]
  if (http.length + tls.length + tcp.length === 0) report.error('spec', 'one of http, tls and tcp is required')
  const hidden = firstCatchAll(http)
  for (const [i, rule] of http.entries()) {
    checkHttpRule(rule, `spec.http[${i}]`, report, { isDelegate, mayMatchClaims: !isForMesh })
    if (hidden !== undefined && i > hidden)
      report.warn(`spec.http[${i}]`, `is never reached: rule ${hidden} takes every request`)
  }
  for (const [i, rule] of tls.entries()) checkTls(rule, `spec.tls[${i}]`, hosts.slice(0, MAX_COMPARED_HOSTS), report)
  for (const [i, rule] of tcp.entries()) checkConnections(rule, `spec.tcp[${i}]`, report)
  checkExportTo(spec['exportTo'], report, { namespace })
}

function checkDelegate(spec: Json, report: Report): void {
  for (const field of ['gateways', 'tls', 'tcp'])
    if (list(spec[field]).length > 0)
      report.error(
        `spec.${field}`,
        'a VirtualService without hosts is one that others delegate to, and has none of these',
      )
}

function checkHosts(hosts: readonly string[], report: Report, isForMesh: boolean): void {
  if (hosts.length > MAX_COMPARED_HOSTS) return report.error('spec.hosts', `more than ${MAX_COMPARED_HOSTS}`)
  for (const host of hosts) {
    const problem = addressProblem(host) === undefined ? undefined : wildcardProblem(host)
    report.check('spec.hosts', problem)
    if (host === '*' && isForMesh)
      report.error(
        'spec.hosts',
        'every host, *, can only be of a VirtualService for gateways: name one in spec.gateways',
      )
  }
  for (const [i, host] of hosts.entries()) {
    const twin = hosts.find(
      (other, j) => j !== i && (j > i ? covers(host, other) : host !== other && covers(host, other)),
    )
    if (twin !== undefined) report.error('spec.hosts', `duplicate hosts: ${host} takes ${twin} too`)
  }
}

export function checkGatewayName(name: string, path: string, report: Report): void {
  const parts = name.split('/')
  const isName =
    parts.length <= 2 && parts.every((part, i) => (i === 0 && parts.length === 2 && part === '.') || isDnsLabel(part))
  // Of older versions: a whole name of a Gateway.
  if (!isName && wildcardProblem(name) !== undefined)
    report.error(path, `${JSON.stringify(name)} is no NAME or NAMESPACE/NAME`)
}

function firstCatchAll(rules: readonly unknown[]): number | undefined {
  const index = rules.findIndex((rule) => {
    const matches = list(record(rule)['match'])
    return matches.length === 0 || matches.some((match) => Object.keys(record(match)).length === 0)
  })
  return index < 0 ? undefined : index
}

function checkTls(value: unknown, path: string, hosts: readonly string[], report: Report): void {
  const rule = record(value)
  const matches = list(rule['match'])
  if (matches.length === 0) report.error(`${path}.match`, 'a TLS rule needs at least one match')
  for (const [i, match] of matches.entries()) {
    const at = `${path}.match[${i}]`
    const names = texts(record(match)['sniHosts'])
    if (names.length === 0) report.error(`${at}.sniHosts`, 'at least one is required')
    for (const name of names) {
      report.check(`${at}.sniHosts`, wildcardProblem(name))
      if (!hosts.some((host) => covers(host, name)))
        report.error(`${at}.sniHosts`, `${JSON.stringify(name)} is none of spec.hosts`)
    }
    checkConnectionMatch(match, at, report)
  }
  checkRoutes(rule['route'], `${path}.route`, report)
}

function checkConnections(value: unknown, path: string, report: Report): void {
  const rule = record(value)
  for (const [i, match] of list(rule['match']).entries()) checkConnectionMatch(match, `${path}.match[${i}]`, report)
  checkRoutes(rule['route'], `${path}.route`, report)
}

function checkConnectionMatch(value: unknown, path: string, report: Report): void {
  const match = record(value)
  for (const subnet of texts(match['destinationSubnets']))
    report.check(`${path}.destinationSubnets`, networkProblem(subnet))
  if (match['port'] !== undefined && match['port'] !== 0) report.check(`${path}.port`, portProblem(match['port']))
  report.check(`${path}.sourceLabels`, labelsProblem(match['sourceLabels']))
  for (const gateway of texts(match['gateways'])) checkGatewayName(gateway, `${path}.gateways`, report)
}

function checkRoutes(value: unknown, path: string, report: Report): void {
  const routes = list(value)
  if (routes.length === 0) report.error(path, 'at least one destination is required')
  let total = 0
  for (const [i, entry] of routes.entries()) {
    const { destination, weight } = record(entry)
    if (!isRecord(destination)) report.error(`${path}[${i}].destination`, 'required')
    else checkDestination(destination, `${path}[${i}].destination`, report)
    if (typeof weight === 'number' && weight < 0) report.error(`${path}[${i}].weight`, 'must not be negative')
    total += typeof weight === 'number' ? weight : 0
  }
  if (routes.length > 1 && total === 0) report.error(path, 'the weights of several destinations must not all be 0')
}
