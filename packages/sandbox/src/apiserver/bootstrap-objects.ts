import { SYSTEM_PRIORITIES } from './admission/pod-priority.ts'
import type { ServiceRanges } from './admission/service-allocator.ts'
import { bootstrapRoles } from './bootstrap-roles.ts'
import type { KubeObject } from './contract.types.ts'

/** What a fresh cluster holds: system namespaces, the `kubernetes` service, user-facing roles, the system's priorities. */
export function bootstrapObjects(ranges: ServiceRanges): readonly KubeObject[] {
  const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']
  const [first = ''] = ranges.ipv4.split('/')
  const kubernetesIp = first.replace(/\.\d+$/, (last) => `.${Number(last.slice(1)) + 1}`)
  return [
    ...namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    ...bootstrapRoles(),
    ...Object.entries(SYSTEM_PRIORITIES).map(([name, value]) => ({
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name },
      value,
      description: 'Of the system: its pods go last.',
      preemptionPolicy: 'PreemptLowerPriority',
    })),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'kubernetes',
        namespace: 'default',
        labels: { component: 'apiserver', provider: 'kubernetes' },
      },
      spec: {
        type: 'ClusterIP',
        clusterIP: kubernetesIp,
        ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
      },
    },
  ]
}
