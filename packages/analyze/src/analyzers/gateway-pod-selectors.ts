import { LABELS } from '@ambit/api'
import { labelsMatch } from '@ambit/controller/judgement'
import { list, record, stringMap } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import { namespaceOf, specOf } from '../source.types.ts'

const KINDS = [
  'security.istio.io/AuthorizationPolicy',
  'security.istio.io/RequestAuthentication',
  'telemetry.istio.io/Telemetry',
  'extensions.istio.io/WasmPlugin',
] as const

export const gatewayPodSelectors: Analyzer = {
  name: 'k8sgateway.SelectorAnalyzer',
  summary: 'Whether policies select pods of a Kubernetes Gateway, which only a targetRef reaches',
  codes: ['IST0166'],
  *analyze(snapshot) {
    const pods = snapshot.workloads.filter(({ labels }) => labels[LABELS.gatewayName] !== undefined)
    for (const kind of KINDS)
      for (const about of snapshot.of(kind)) {
        const { selector, targetRef, targetRefs } = specOf(about)
        if (selector === undefined || targetRef !== undefined || list(targetRefs).length > 0) continue
        const labels = stringMap(record(selector)['matchLabels'])
        const selected = pods.filter((pod) => pod.namespace === namespaceOf(about) && labelsMatch(labels, pod.labels))
        for (const gateway of new Set(selected.map((pod) => pod.labels[LABELS.gatewayName] ?? ''))) {
          const message = `Ineffective selector on Kubernetes Gateway ${gateway}. Use the TargetRef field instead.`
          yield { code: 'IST0166', about, path: ['spec', 'selector'], message }
        }
      }
  },
}
