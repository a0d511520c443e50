import { LABELS } from '@ambit/api'
import { labelsMatch } from '@ambit/controller/judgement'
import { isEnrolled } from '../enrolled.ts'
import { list, record, stringMap, text, texts } from '../field.ts'
import type { Analyzer, Finding } from '../message.types.ts'
import type { Snapshot } from '../snapshot.ts'
import { namespaceOf, type Sourced, specOf } from '../source.types.ts'

export const ineffectivePolicies: Analyzer = {
  name: 'ambient.IneffectivePolicyAnalyzer',
  summary: 'Whether objects are for what this mesh has not, or for tokens nobody checks',
  codes: ['IST0167'],
  *analyze(snapshot) {
    for (const about of snapshot.of('networking.istio.io/Sidecar')) yield* sidecar(snapshot, about)
    for (const about of snapshot.of('networking.istio.io/EnvoyFilter'))
      yield noImpact(about, 'no proxy of this mesh is Envoy')
    for (const about of snapshot.of('extensions.istio.io/WasmPlugin'))
      yield noImpact(about, 'no proxy of this mesh runs WebAssembly')
    for (const about of snapshot.of('security.istio.io/RequestAuthentication')) yield* authentication(snapshot, about)
    for (const about of snapshot.of('security.istio.io/AuthorizationPolicy')) yield* tokens(snapshot, about)
  },
}

function noImpact(about: Sourced, why: string): Finding {
  return { code: 'IST0167', about, message: `The policy has no impact: ${why}.` }
}

function* sidecar(snapshot: Snapshot, about: Sourced): Iterable<Finding> {
  const labels = stringMap(record(specOf(about)['workloadSelector'])['labels'])
  const namespace = namespaceOf(about)
  if (Object.keys(labels).length === 0) {
    if (snapshot.labelsOfNamespace(namespace)[LABELS.dataplaneMode] === 'ambient')
      yield noImpact(about, 'the namespace is in ambient mode, without sidecars')
    return
  }
  const selected = snapshot.workloadsIn(namespace).filter((pod) => labelsMatch(labels, pod.labels))
  if (selected.some((pod) => isEnrolled(snapshot, pod)))
    yield noImpact(about, 'pods it selects are in ambient mode, without sidecars')
}

/** A ztunnel looks into no request. */
function* authentication(snapshot: Snapshot, about: Sourced): Iterable<Finding> {
  const spec = specOf(about)
  if (spec['targetRef'] !== undefined || list(spec['targetRefs']).length > 0) return
  const labels = stringMap(record(spec['selector'])['matchLabels'])
  if (labels['istio.io/gateway-name'] !== undefined) return
  const namespace = namespaceOf(about)
  const isEverywhere = namespace === snapshot.rootNamespace
  if (!snapshot.knows('core/Pod', isEverywhere ? undefined : namespace)) return
  const pods = isEverywhere ? snapshot.workloads : snapshot.workloadsIn(namespace)
  const selected = pods.filter((pod) => labelsMatch(labels, pod.labels))
  if (selected.length > 0 && selected.every((pod) => isEnrolled(snapshot, pod)))
    yield noImpact(about, 'ztunnel checks no tokens; attach it to a waypoint, or a service that has one, by targetRefs')
}

/** Rules about tokens where no token is ever checked. */
function* tokens(snapshot: Snapshot, about: Sourced): Iterable<Finding> {
  if (!snapshot.knows('security.istio.io/RequestAuthentication')) return
  if (!list(specOf(about)['rules']).some(asksForToken)) return
  const namespaces = [namespaceOf(about), snapshot.rootNamespace]
  const all = snapshot.of('security.istio.io/RequestAuthentication')
  if (all.some((one) => namespaces.includes(namespaceOf(one)))) return
  const what =
    specOf(about)['action'] === 'DENY'
      ? 'no request has a checked token'
      : 'no request has a checked token, so that nothing is allowed by its rules about tokens'
  const message = `The policy has no impact: there is no RequestAuthentication in ${namespaces.join(' or ')}: ${what}.`
  yield { code: 'IST0167', about, path: ['spec', 'rules'], message }
}

function asksForToken(rule: unknown): boolean {
  const { from, when } = record(rule)
  const principals = list(from).some((entry) => texts(record(record(entry)['source'])['requestPrincipals']).length > 0)
  return principals || list(when).some((entry) => text(record(entry)['key']).startsWith('request.auth.'))
}
