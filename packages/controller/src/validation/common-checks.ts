import { isRecord, type Json, list, printed, record, text, texts } from '../watch/json.ts'
import { isDnsLabel } from './field-problems.ts'
import type { Report } from './report.ts'

/** `exportTo`: namespaces, `.` for the own one, `*` for all; of a ServiceEntry also `~` for none. */
export function checkExportTo(
  value: unknown,
  report: Report,
  { namespace, mayBeNobody = false }: { readonly namespace: string; readonly mayBeNobody?: boolean },
): void {
  const path = 'spec.exportTo'
  const seen = new Set<string>()
  const entries = texts(value)
  for (const entry of entries) {
    const meant = entry === '.' ? namespace : entry
    if (seen.has(meant))
      report.error(path, `${JSON.stringify(entry)} stands there twice; . is the namespace ${namespace}`)
    seen.add(meant)
    const isWord = entry === '*' || entry === '.' || (mayBeNobody && entry === '~')
    if (!isWord && !isDnsLabel(entry))
      report.error(path, `${JSON.stringify(entry)} is neither a namespace nor one of . and *`)
  }
  if (entries.length > 1 && seen.has('*'))
    report.error(path, '* exports to all namespaces: no others may stand beside it')
  if (entries.length > 1 && seen.has('~')) report.error(path, '~ exports to nobody: no others may stand beside it')
}

/** Labels that select workloads: no wildcards. */
export function checkSelectorLabels(value: unknown, path: string, report: Report): void {
  const labels = Object.entries(record(value))
  if (labels.length === 0) report.warn(path, 'a selector without labels selects every workload of the namespace')
  for (const [key, wanted] of labels) {
    if (key === '') report.error(path, 'a label without a key')
    if (key.includes('*') || printed(wanted).includes('*'))
      report.error(path, `wildcards are not supported in selectors: ${key}=${printed(wanted)}`)
  }
}

const TARGETS: ReadonlySet<string> = new Set([
  '/Service',
  'core/Service',
  'networking.istio.io/ServiceEntry',
  'gateway.networking.k8s.io/Gateway',
  'gateway.networking.k8s.io/GatewayClass',
])

/** What a policy is for: a selector, or targets in its own namespace. */
export function checkAttachment(spec: Json, report: Report): void {
  const refs = [...(isRecord(spec['targetRef']) ? [spec['targetRef']] : []), ...list(spec['targetRefs'])]
  const ways = [spec['selector'], spec['targetRef'], list(spec['targetRefs'])[0]].filter((way) => way !== undefined)
  if (ways.length > 1) report.error('spec', 'only one of selector, targetRef and targetRefs may be set')
  if (isRecord(spec['selector']))
    checkSelectorLabels(spec['selector']['matchLabels'], 'spec.selector.matchLabels', report)
  for (const [i, value] of refs.entries()) {
    const path = `spec.targetRefs[${i}]`
    const ref = record(value)
    if (typeof ref['name'] !== 'string' || ref['name'] === '') report.error(`${path}.name`, 'required')
    if (ref['namespace'] !== undefined && ref['namespace'] !== '')
      report.error(`${path}.namespace`, 'must not be set: a policy is for targets of its own namespace')
    const target = `${text(ref['group']) ?? ''}/${text(ref['kind']) ?? ''}`
    if (!TARGETS.has(target))
      report.error(path, `${target} can be no target: only ${[...TARGETS].slice(1).join(', ')} can`)
  }
}

/** Istio's StringMatch: one kind with a text, empty only where a prefix may be. */
export function checkStringMatch(
  value: unknown,
  path: string,
  report: Report,
  { mayBeEmpty = false }: { readonly mayBeEmpty?: boolean } = {},
): void {
  if (value === undefined || value === null) return
  for (const [kind, wanted] of Object.entries(record(value))) {
    if (typeof wanted !== 'string') report.error(`${path}.${kind}`, 'must be text')
    else if (wanted === '' && !(mayBeEmpty && kind === 'prefix')) report.error(`${path}.${kind}`, 'must not be empty')
    else if (kind === 'regex') report.checkPattern(`${path}.regex`, wanted)
  }
}
