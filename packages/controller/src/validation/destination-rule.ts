import { isRecord, type Json, list, record, text, texts } from '../watch/json.ts'
import { checkExportTo, checkSelectorLabels } from './common-checks.ts'
import {
  durationProblem,
  isDnsLabel,
  labelsProblem,
  percentProblem,
  portProblem,
  wildcardProblem,
} from './field-problems.ts'
import type { Report } from './report.ts'

export function checkDestinationRule(spec: Json, report: Report, { namespace }: { readonly namespace: string }): void {
  report.check('spec.host', wildcardProblem(text(spec['host']) ?? ''))
  checkPolicy(spec['trafficPolicy'], 'spec.trafficPolicy', report)
  const seen = new Set<string>()
  for (const [i, value] of list(spec['subsets']).entries()) {
    const path = `spec.subsets[${i}]`
    const subset = record(value)
    const name = text(subset['name']) ?? ''
    if (!isDnsLabel(name)) report.error(`${path}.name`, `${JSON.stringify(name)} is no name of a subset`)
    if (seen.has(name)) report.error(`${path}.name`, `${JSON.stringify(name)} stands there twice`)
    seen.add(name)
    report.check(`${path}.labels`, labelsProblem(subset['labels']))
    checkPolicy(subset['trafficPolicy'], `${path}.trafficPolicy`, report)
  }
  const selector = spec['workloadSelector']
  if (isRecord(selector)) {
    checkSelectorLabels(selector['matchLabels'], 'spec.workloadSelector.matchLabels', report)
    if (texts(spec['exportTo']).some((entry) => entry !== '.' && entry !== namespace))
      report.error('spec.exportTo', 'a rule with workloadSelector is for its own namespace only')
  }
  checkExportTo(spec['exportTo'], report, { namespace })
}

const BLOCKS = ['outlierDetection', 'connectionPool', 'loadBalancer', 'tls'] as const
const OTHERS = ['portLevelSettings', 'tunnel', 'proxyProtocol', 'retryBudget'] as const

function checkPolicy(value: unknown, path: string, report: Report): void {
  if (!isRecord(value)) return
  if ([...BLOCKS, ...OTHERS].every((field) => value[field] === undefined)) report.error(path, 'must say something')
  if (value['tunnel'] !== undefined && value['proxyProtocol'] !== undefined)
    report.error(path, 'tunnel and proxyProtocol can not stand together')
  checkBlocks(value, path, report)
  for (const [i, entry] of list(value['portLevelSettings']).entries()) {
    const at = `${path}.portLevelSettings[${i}]`
    const settings = record(entry)
    report.check(`${at}.port.number`, portProblem(record(settings['port'])['number']))
    if (BLOCKS.every((field) => settings[field] === undefined)) report.error(at, 'must say something beside the port')
    checkBlocks(settings, at, report)
  }
}

function checkBlocks(policy: Json, path: string, report: Report): void {
  checkOutliers(policy['outlierDetection'], `${path}.outlierDetection`, report)
  checkPool(policy['connectionPool'], `${path}.connectionPool`, report)
  checkLoadBalancer(policy['loadBalancer'], policy['outlierDetection'], `${path}.loadBalancer`, report)
  checkTls(policy['tls'], `${path}.tls`, report)
}

function checkOutliers(value: unknown, path: string, report: Report): void {
  if (!isRecord(value)) return
  for (const field of ['baseEjectionTime', 'interval']) report.check(`${path}.${field}`, durationProblem(value[field]))
  for (const field of ['maxEjectionPercent', 'minHealthPercent'])
    report.check(`${path}.${field}`, percentProblem(value[field]))
  if (value['consecutiveErrors'] !== undefined)
    report.warn(`${path}.consecutiveErrors`, 'is deprecated: use consecutive5xxErrors or consecutiveGatewayErrors')
  const failures = value['consecutiveLocalOriginFailures']
  if (typeof failures === 'number' && failures > 0 && value['splitExternalLocalOriginErrors'] !== true)
    report.error(`${path}.consecutiveLocalOriginFailures`, 'needs splitExternalLocalOriginErrors: true')
}

const COUNTS = [
  'http1MaxPendingRequests',
  'http2MaxRequests',
  'maxRequestsPerConnection',
  'maxRetries',
  'maxConcurrentStreams',
]

function checkPool(value: unknown, path: string, report: Report): void {
  if (!isRecord(value)) return
  const { http, tcp } = value
  if (http === undefined && tcp === undefined) report.error(path, 'http or tcp is required')
  for (const field of COUNTS) checkCount(record(http)[field], `${path}.http.${field}`, report)
  report.check(`${path}.http.idleTimeout`, durationProblem(record(http)['idleTimeout']))
  if (record(http)['h2UpgradePolicy'] === 'UPGRADE' && record(http)['useClientProtocol'] === true)
    report.error(`${path}.http.useClientProtocol`, 'can not be true with h2UpgradePolicy UPGRADE')
  checkCount(record(tcp)['maxConnections'], `${path}.tcp.maxConnections`, report)
  for (const field of ['connectTimeout', 'maxConnectionDuration'])
    report.check(`${path}.tcp.${field}`, durationProblem(record(tcp)[field]))
  for (const field of ['time', 'interval'])
    report.check(`${path}.tcp.tcpKeepalive.${field}`, durationProblem(record(record(tcp)['tcpKeepalive'])[field]))
}

function checkCount(value: unknown, path: string, report: Report): void {
  if (typeof value === 'number' && value < 0) report.error(path, 'must not be negative')
}

/** Envoy's limit of a Maglev table. */
const MAX_TABLE = 5_000_011

function checkLoadBalancer(value: unknown, outliers: unknown, path: string, report: Report): void {
  if (!isRecord(value)) return
  const hash = record(value['consistentHash'])
  const at = `${path}.consistentHash`
  if (isRecord(hash['httpCookie']) && (text(hash['httpCookie']['name']) ?? '') === '')
    report.error(`${at}.httpCookie.name`, 'required')
  if (hash['minimumRingSize'] !== undefined && (hash['ringHash'] !== undefined || hash['maglev'] !== undefined))
    report.error(at, 'minimumRingSize can not stand beside ringHash or maglev')
  if (isRecord(hash['maglev'])) {
    const size = hash['maglev']['tableSize']
    if (typeof size !== 'number' || size < 1 || size >= MAX_TABLE || !isPrime(size))
      report.error(`${at}.maglev.tableSize`, `must be a prime number below ${MAX_TABLE}`)
  }
  checkLocality(value['localityLbSetting'], outliers, `${path}.localityLbSetting`, report)
  if (value['localityLbSetting'] !== undefined && value['zoneAwareLbSetting'] !== undefined)
    report.error(path, 'localityLbSetting and zoneAwareLbSetting can not stand together')
  const { warmup } = value
  if (!isRecord(warmup)) return
  if (warmup['duration'] === undefined) report.error(`${path}.warmup.duration`, 'required')
  report.check(`${path}.warmup.duration`, durationProblem(warmup['duration']))
  report.check(`${path}.warmup.minimumPercent`, percentProblem(warmup['minimumPercent']))
  if (typeof warmup['aggression'] === 'number' && warmup['aggression'] <= 0)
    report.error(`${path}.warmup.aggression`, 'must be greater than 0')
}

function checkLocality(value: unknown, outliers: unknown, path: string, report: Report): void {
  if (!isRecord(value)) return
  const ways = ['distribute', 'failover', 'failoverPriority'].filter((field) => value[field] !== undefined)
  if (value['distribute'] !== undefined && value['failover'] !== undefined)
    report.error(path, 'distribute and failover can not stand together')
  if (ways.length > 0 && value['distribute'] === undefined && outliers === undefined)
    report.warn(path, 'does nothing without outlierDetection: nobody notices that endpoints fail')
  for (const [i, entry] of list(value['distribute']).entries()) {
    const shares = Object.values(record(record(entry)['to']))
    const total = shares.reduce((sum: number, share) => sum + (typeof share === 'number' ? share : 0), 0)
    if (shares.length > 0 && total !== 100)
      report.error(`${path}.distribute[${i}].to`, `weights add up to ${total}, not to 100`)
  }
}

function isPrime(number: number): boolean {
  if (number < 4) return number > 0
  for (let factor = 2; factor * factor <= number; factor++) if (number % factor === 0) return false
  return true
}

function checkTls(value: unknown, path: string, report: Report): void {
  if (!isRecord(value)) return
  const files = ['clientCertificate', 'privateKey', 'caCertificates'].filter((field) => value[field])
  const { mode, credentialName } = value
  if (credentialName && files.length > 0)
    report.error(path, `credentialName and ${files.join(', ')} can not stand together`)
  if (mode === 'MUTUAL' && !credentialName)
    for (const field of ['clientCertificate', 'privateKey'])
      if (!value[field]) report.error(`${path}.${field}`, 'required for MUTUAL without credentialName')
  if (value['insecureSkipVerify'] === true && (value['caCertificates'] || list(value['subjectAltNames']).length > 0))
    report.error(`${path}.insecureSkipVerify`, 'can not stand beside what is to be verified')
}
