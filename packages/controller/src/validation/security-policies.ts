import { isRecord, type Json, list, record, text, texts } from '../watch/json.ts'
import { checkAttachment, checkSelectorLabels } from './common-checks.ts'
import { durationProblem, headerNameProblem, portProblem } from './field-problems.ts'
import type { Report } from './report.ts'

const MODES: ReadonlySet<unknown> = new Set([undefined, 'UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'])

export function checkPeerAuthentication(spec: Json, report: Report): void {
  const { selector, portLevelMtls: ports } = spec
  if (isRecord(selector)) checkSelectorLabels(selector['matchLabels'], 'spec.selector.matchLabels', report)
  if (!MODES.has(record(spec['mtls'])['mode'])) report.error('spec.mtls.mode', 'must be STRICT, PERMISSIVE or DISABLE')
  if (!isRecord(ports)) return
  const hasLabels = Object.keys(record(record(selector)['matchLabels'])).length > 0
  if (!hasLabels) report.error('spec.portLevelMtls', 'needs a selector with labels: ports are of workloads')
  if (Object.keys(ports).length === 0) report.error('spec.portLevelMtls', 'must have at least one port')
  for (const [port, settings] of Object.entries(ports)) {
    report.check(`spec.portLevelMtls[${port}]`, portProblem(Number(port)))
    if (!MODES.has(record(settings)['mode']))
      report.error(`spec.portLevelMtls[${port}].mode`, 'must be STRICT, PERMISSIVE or DISABLE')
  }
}

export function checkRequestAuthentication(spec: Json, report: Report): void {
  checkAttachment(spec, report)
  for (const [i, rule] of list(spec['jwtRules']).entries()) checkJwtRule(record(rule), `spec.jwtRules[${i}]`, report)
}

function checkJwtRule(rule: Json, path: string, report: Report): void {
  const { issuer, jwksUri, jwks } = rule
  if (!issuer && !jwksUri) report.error(path, 'issuer or jwksUri is required')
  if (typeof jwksUri === 'string' && jwksUri !== '') checkJwksUri(jwksUri, `${path}.jwksUri`, report)
  if (typeof jwks === 'string' && jwks !== '') checkJwks(jwks, `${path}.jwks`, report)
  if (jwksUri && jwks) report.warn(path, 'jwksUri is not asked while jwks is set')
  for (const field of ['audiences', 'fromParams', 'fromCookies', 'spaceDelimitedClaims'])
    if (list(rule[field]).some((value) => value === '')) report.error(`${path}.${field}`, 'must not hold an empty text')
  for (const [j, header] of list(rule['fromHeaders']).entries())
    if (!record(header)['name']) report.error(`${path}.fromHeaders[${j}].name`, 'required')
  for (const [j, entry] of list(rule['outputClaimToHeaders']).entries()) {
    const at = `${path}.outputClaimToHeaders[${j}]`
    const { claim, header } = record(entry)
    if (!claim || !header) report.error(at, 'claim and header are required')
    else report.check(`${at}.header`, headerNameProblem(text(header) ?? ''))
  }
  report.check(`${path}.timeout`, durationProblem(rule['timeout']))
}

function checkJwksUri(uri: string, path: string, report: Report): void {
  if (!URL.canParse(uri)) return report.error(path, `${JSON.stringify(uri)} is no URL`)
  const { protocol, port, hostname } = new URL(uri)
  if (protocol !== 'http:' && protocol !== 'https:') report.error(path, 'must be an http or https URL')
  if (port !== '') report.check(path, portProblem(Number(port)))
  if (hostname === '') report.error(path, 'names no host')
}

/** Private parts of a key: whoever may read the object could sign with it. */
const PRIVATE_PARTS = ['d', 'k', 'p', 'q']

function checkJwks(jwks: string, path: string, report: Report): void {
  const keys = keysOf(jwks)
  if (keys === undefined) return report.error(path, 'is no JSON Web Key Set: {"keys": [...]}')
  for (const [i, key] of keys.entries()) {
    if (typeof record(key)['kty'] !== 'string') report.error(`${path}.keys[${i}].kty`, 'required')
    if (PRIVATE_PARTS.some((part) => record(key)[part] !== undefined))
      report.warn(`${path}.keys[${i}]`, 'is a private key: take it out and replace it, only the public one is needed')
  }
}

function keysOf(jwks: string): readonly unknown[] | undefined {
  try {
    const { keys } = record(JSON.parse(jwks))
    return Array.isArray(keys) ? (keys as readonly unknown[]) : undefined
  } catch {
    return undefined
  }
}

const FILTER_ID = 'a filter of requests'

export function checkTelemetry(spec: Json, report: Report): void {
  checkAttachment(spec, report)
  for (const [i, metrics] of list(spec['metrics']).entries())
    checkMetrics(record(metrics), `spec.metrics[${i}]`, report)
  const tracing = list(spec['tracing'])
  if (tracing.length > 1) report.warn('spec.tracing', 'only the first counts')
  for (const [i, entry] of tracing.entries()) checkTracing(record(entry), `spec.tracing[${i}]`, report)
  for (const [i, entry] of list(spec['accessLogging']).entries()) {
    const logging = record(entry)
    const path = `spec.accessLogging[${i}]`
    checkProviders(logging['providers'], path, report)
    if (isRecord(logging['filter']) && !logging['filter']['expression'])
      report.error(`${path}.filter.expression`, `${FILTER_ID} needs one`)
  }
}

function checkProviders(value: unknown, path: string, report: Report): void {
  for (const [i, provider] of list(value).entries())
    if (!record(provider)['name']) report.error(`${path}.providers[${i}].name`, 'required')
}

function checkMetrics(metrics: Json, path: string, report: Report): void {
  checkProviders(metrics['providers'], path, report)
  for (const [i, entry] of list(metrics['overrides']).entries()) {
    const override = record(entry)
    if (record(override['match'])['customMetric'] === '')
      report.error(`${path}.overrides[${i}].match.customMetric`, 'must not be empty')
    for (const [tag, value] of Object.entries(record(override['tagOverrides']))) {
      const at = `${path}.overrides[${i}].tagOverrides[${tag}]`
      const { operation, value: expression } = record(value)
      if (operation === 'REMOVE' && expression) report.error(at, 'REMOVE takes no value')
      if (operation !== 'REMOVE' && !expression) report.error(at, 'UPSERT needs a value')
    }
  }
}

function checkTracing(tracing: Json, path: string, report: Report): void {
  checkProviders(tracing['providers'], path, report)
  const share = tracing['randomSamplingPercentage']
  if (typeof share === 'number' && (share < 0 || share > 100))
    report.error(`${path}.randomSamplingPercentage`, 'must be between 0 and 100')
  for (const [name, value] of Object.entries(record(tracing['customTags']))) {
    const at = `${path}.customTags[${name}]`
    if (name === '') report.error(at, 'a tag without a name')
    const kinds = Object.entries(record(value)).filter(([kind]) => kind !== 'defaultValue')
    if (kinds.length !== 1) report.error(at, 'wants one of literal, environment, header and formatter')
    for (const [kind, source] of kinds)
      if (!text(record(source)['name']) && texts([record(source)['value']]).length === 0)
        report.error(`${at}.${kind}`, 'must not be empty')
  }
}
