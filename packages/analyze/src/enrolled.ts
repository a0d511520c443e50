import { DEFAULT_SELECTORS, enrollment } from '@ambit/cni/enrollment'
import type { Snapshot } from './snapshot.ts'
import { isSystemNamespace } from './system-namespaces.ts'
import type { Workload } from './workload.ts'

/** Whether the node agent would capture the pod. */
export function isEnrolled(snapshot: Snapshot, workload: Workload): boolean {
  const { namespace, name, labels, annotations, hostNetwork, phase, serviceAccount } = workload
  if (isSystemNamespace(namespace)) return false
  const pod = {
    uid: '',
    namespace,
    name,
    serviceAccount,
    labels: new Map(Object.entries(labels)),
    annotations: new Map(Object.entries(annotations)),
    hostNetwork,
    phase,
    ips: [],
  }
  const of = { name: namespace, labels: new Map(Object.entries(snapshot.labelsOfNamespace(namespace))) }
  return enrollment(pod, of, { selectors: DEFAULT_SELECTORS, excludeNamespaces: [] }).enrolled
}
