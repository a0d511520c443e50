import { labelsMatch } from '@ambit/controller/judgement'
import { list, record, spellSelector, stringMap } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import { namespaceOf, type Sourced, specOf } from '../source.types.ts'

const KINDS = ['AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication'] as const
/** How policies of Istio 1.18 name their waypoint. */
const GATEWAY_NAME = 'istio.io/gateway-name'

export const policyWorkloads: Analyzer = {
  name: 'auth.PolicySelectorAnalyzer',
  summary: 'Whether policies with a selector select pods',
  codes: ['IST0127'],
  *analyze(snapshot) {
    for (const kind of KINDS)
      for (const about of snapshot.of(`security.istio.io/${kind}`)) {
        const selector = selectorOf(about)
        if (selector === undefined || selector[GATEWAY_NAME] !== undefined) continue
        const namespace = namespaceOf(about)
        // Those of the root namespace are for the pods of all others.
        const isEverywhere = namespace === snapshot.rootNamespace
        if (!snapshot.knows('core/Pod', isEverywhere ? undefined : namespace)) continue
        const pods = isEverywhere ? snapshot.workloads : snapshot.workloadsIn(namespace)
        if (pods.some(({ labels }) => labelsMatch(selector, labels))) continue
        const message = `No matching workloads for this resource with the following labels: ${spellSelector(selector)}`
        yield { code: 'IST0127', about, path: ['spec', 'selector'], message }
      }
  },
}

/** Undefined: it is for no pods in particular. */
function selectorOf(policy: Sourced): Readonly<Record<string, string>> | undefined {
  const { selector, targetRef, targetRefs } = specOf(policy)
  if (selector === undefined || targetRef !== undefined || list(targetRefs).length > 0) return undefined
  return stringMap(record(selector)['matchLabels'])
}
