import type { ServiceRanges } from './admission/service-allocator.ts'
import type { KubeObject } from './contract.types.ts'

const RBAC = 'rbac.authorization.k8s.io'
const ALL = ['*']
const READ = ['get', 'list', 'watch']
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update']

interface Rule {
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly verbs: readonly string[]
  readonly nonResourceURLs?: readonly string[]
}

function clusterRole(name: string, rules: readonly Rule[]): KubeObject {
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRole',
    metadata: { name, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
    rules,
  }
}

function binding(name: string, role: string, groups: readonly string[]): KubeObject {
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: role },
    subjects: groups.map((group) => ({ apiGroup: RBAC, kind: 'Group', name: group })),
  }
}

/** What a fresh cluster holds: system namespaces, the `kubernetes` service, user-facing roles. */
export function bootstrapObjects(ranges: ServiceRanges): readonly KubeObject[] {
  const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']
  const workloads = [
    'pods',
    'pods/log',
    'services',
    'endpoints',
    'configmaps',
    'serviceaccounts',
    'events',
    'namespaces',
  ]
  const apps = { apiGroups: ['apps', 'policy', 'autoscaling', 'networking.k8s.io', 'discovery.k8s.io'], resources: ALL }
  const core = { apiGroups: [''], resources: workloads }
  const streams = { apiGroups: [''], resources: ['pods/exec', 'pods/attach', 'pods/portforward', 'secrets'] }
  const view = [
    { ...core, verbs: READ },
    { ...apps, verbs: READ },
  ]
  const edit = [
    { ...core, verbs: [...READ, ...WRITE] },
    { ...apps, verbs: [...READ, ...WRITE] },
    { ...streams, verbs: [...READ, ...WRITE] },
  ]
  const discovery = [
    '/api',
    '/api/*',
    '/apis',
    '/apis/*',
    '/openapi',
    '/openapi/*',
    '/version',
    '/version/',
    '/healthz',
    '/livez',
    '/readyz',
  ]
  const [first = ''] = ranges.ipv4.split('/')
  const kubernetesIp = first.replace(/\.\d+$/, (last) => `.${Number(last.slice(1)) + 1}`)
  return [
    ...namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    clusterRole('cluster-admin', [
      { apiGroups: ALL, resources: ALL, verbs: ALL },
      { nonResourceURLs: ALL, verbs: ALL },
    ]),
    clusterRole('admin', [
      ...edit,
      { apiGroups: [RBAC], resources: ['roles', 'rolebindings'], verbs: [...READ, ...WRITE] },
    ]),
    clusterRole('edit', edit),
    clusterRole('view', view),
    clusterRole('system:discovery', [{ nonResourceURLs: discovery, verbs: ['get'] }]),
    clusterRole('system:basic-user', [
      {
        apiGroups: ['authorization.k8s.io'],
        resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
        verbs: ['create'],
      },
      { apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'], verbs: ['create'] },
    ]),
    clusterRole('system:auth-delegator', [
      { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
      { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
    ]),
    clusterRole('system:service-account-issuer-discovery', [
      { nonResourceURLs: ['/.well-known/openid-configuration', '/openid/v1/jwks'], verbs: ['get'] },
    ]),
    binding('cluster-admin', 'cluster-admin', ['system:masters']),
    binding('system:discovery', 'system:discovery', ['system:authenticated']),
    binding('system:basic-user', 'system:basic-user', ['system:authenticated']),
    binding('system:service-account-issuer-discovery', 'system:service-account-issuer-discovery', [
      'system:serviceaccounts',
    ]),
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
