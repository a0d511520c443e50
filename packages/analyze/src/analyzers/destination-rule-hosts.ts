import { completeHost, decodeServiceEntry, labelsMatch } from '@ambit/controller/judgement'
import { list, record, stringMap, text, texts } from '../field.ts'
import type { Analyzer, Finding } from '../message.types.ts'
import type { Snapshot } from '../snapshot.ts'
import { namespaceOf, type Sourced, specOf } from '../source.types.ts'

type Labels = Readonly<Record<string, string>>

export const destinationRuleHosts: Analyzer = {
  name: 'destinationrule.SubsetSelectPodAnalyzer',
  summary: 'Whether a DestinationRule’s host is there and its subsets have endpoints',
  codes: ['IST0173', 'IST0174'],
  *analyze(snapshot) {
    for (const rule of snapshot.of('networking.istio.io/DestinationRule')) yield* problemsOf(snapshot, rule)
  },
}

function* problemsOf(snapshot: Snapshot, about: Sourced): Iterable<Finding> {
  const spec = specOf(about)
  const written = text(spec['host'])
  if (written === '') return
  const host = completeHost(written, namespaceOf(about), snapshot.domain)
  const endpoints = endpointsOf(snapshot, host)
  if (endpoints === undefined) {
    if (!snapshot.knowsHost(host)) return
    const message = `The host ${written} of the DestinationRule is that of no service in the mesh.`
    yield { code: 'IST0174', about, path: ['spec', 'host'], message }
    return
  }
  if (endpoints === 'unknown') return
  for (const [i, entry] of list(spec['subsets']).entries()) {
    const { name, labels } = record(entry)
    const wanted = withoutTopology(stringMap(labels))
    if (endpoints.some((one) => labelsMatch(wanted, one))) continue
    const message = `The subset ${text(name)} of the DestinationRule has no pods: requests to it fail with 503.`
    yield { code: 'IST0173', about, path: ['spec', 'subsets', i], message }
  }
}

/** Labels that a place gives its endpoints, whatever their pods say. */
function withoutTopology(labels: Labels): Labels {
  return Object.fromEntries(
    Object.entries(labels).filter(
      ([key]) =>
        !key.startsWith('topology.kubernetes.io/') &&
        !key.startsWith('topology.istio.io/') &&
        !key.startsWith('failure-domain.beta.kubernetes.io/') &&
        key !== 'kubernetes.io/hostname',
    ),
  )
}

/** Labels of who serves the host; undefined: nobody has it. */
function endpointsOf(snapshot: Snapshot, host: string): readonly Labels[] | 'unknown' | undefined {
  const found: Labels[] = []
  let known = false
  let unknown = false
  const select = (namespace: string, selector: Labels): void => {
    if (!snapshot.knows('core/Pod', namespace)) unknown = true
    for (const { labels } of snapshot.workloadsIn(namespace)) if (labelsMatch(selector, labels)) found.push(labels)
    for (const entry of snapshot.of('networking.istio.io/WorkloadEntry')) {
      const labels = { ...entry.object.metadata.labels, ...stringMap(specOf(entry)['labels']) }
      if (namespaceOf(entry) === namespace && labelsMatch(selector, labels)) found.push(labels)
    }
  }
  for (const service of snapshot.of('core/Service')) {
    const { namespace = '', name } = service.object.metadata
    if (!takes(host, `${name}.${namespace}.svc.${snapshot.domain}`)) continue
    known = true
    const selector = stringMap(specOf(service)['selector'])
    // Without a selector its endpoints are somebody's own list.
    if (Object.keys(selector).length === 0) unknown = true
    else select(namespace, selector)
  }
  for (const entry of snapshot.of('networking.istio.io/ServiceEntry')) {
    if (!texts(specOf(entry)['hosts']).some((one) => takes(host, one))) continue
    known = true
    const { endpoints, workloadSelector } = decodeServiceEntry(entry.object)
    for (const { labels } of endpoints) found.push(labels)
    if (workloadSelector !== undefined) select(namespaceOf(entry), workloadSelector)
  }
  if (!known) return undefined
  return unknown ? 'unknown' : found
}

/** Whether a rule for `pattern` is for the host. */
function takes(pattern: string, host: string): boolean {
  return pattern === '*' || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)))
}
