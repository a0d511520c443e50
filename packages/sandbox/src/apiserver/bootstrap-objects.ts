import type { ServiceRanges } from './admission/service-allocator.ts'
import { bootstrapRoles } from './bootstrap-roles.ts'
import type { KubeObject } from './contract.types.ts'

/** What a fresh cluster holds: system namespaces, the `kubernetes` service, user-facing roles. */
export function bootstrapObjects(ranges: ServiceRanges): readonly KubeObject[] {
  const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']
  const [first = ''] = ranges.ipv4.split('/')
  const kubernetesIp = first.replace(/\.\d+$/, (last) => `.${Number(last.slice(1)) + 1}`)
  return [
    ...namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    ...bootstrapRoles(),
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
