import type { KubeObject } from './contract.types.ts'

const RBAC = 'rbac.authorization.k8s.io'
const ALL = ['*']
const READ = ['get', 'list', 'watch']
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update']
const AGGREGATE = `${RBAC}/aggregate-to-`

interface Rule {
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly verbs: readonly string[]
  readonly nonResourceURLs?: readonly string[]
}

const META = {
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
}

function clusterRole(name: string, rules: readonly Rule[], labels: Readonly<Record<string, string>> = {}): KubeObject {
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRole',
    metadata: { name, labels: { ...META.labels, ...labels }, annotations: META.annotations },
    rules,
  }
}

/** A role whose rules are those of all roles labelled for it. */
function aggregated(name: string, partOf?: string): KubeObject {
  const role = clusterRole(name, [], partOf === undefined ? {} : { [`${AGGREGATE}${partOf}`]: 'true' })
  return { ...role, aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`${AGGREGATE}${name}`]: 'true' } }] } }
}

function binding(name: string, role: string, groups: readonly string[]): KubeObject {
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name, ...META },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: role },
    subjects: groups.map((group) => ({ apiGroup: RBAC, kind: 'Group', name: group })),
  }
}

/** What users of a namespace work with, by group. */
const WORKLOADS: readonly {
  readonly group: string
  readonly kinds: readonly string[]
  readonly views: readonly string[]
}[] = [
  {
    group: '',
    kinds: [
      'configmaps',
      'persistentvolumeclaims',
      'pods',
      'replicationcontrollers',
      'serviceaccounts',
      'services',
      'events',
      'endpoints',
    ],
    views: [
      'persistentvolumeclaims/status',
      'pods/log',
      'pods/status',
      'replicationcontrollers/status',
      'services/status',
    ],
  },
  {
    group: 'apps',
    kinds: ['daemonsets', 'deployments', 'replicasets', 'statefulsets'],
    views: [
      'controllerrevisions',
      'daemonsets/status',
      'deployments/status',
      'replicasets/status',
      'statefulsets/status',
    ],
  },
  { group: 'autoscaling', kinds: ['horizontalpodautoscalers'], views: ['horizontalpodautoscalers/status'] },
  { group: 'batch', kinds: ['cronjobs', 'jobs'], views: ['cronjobs/status', 'jobs/status'] },
  { group: 'networking.k8s.io', kinds: ['ingresses', 'networkpolicies'], views: ['ingresses/status'] },
  { group: 'policy', kinds: ['poddisruptionbudgets'], views: ['poddisruptionbudgets/status'] },
]
const CORE_SCALES = ['replicationcontrollers/scale']
const SCALES = ['deployments/scale', 'replicasets/scale', 'statefulsets/scale']

const VIEW: readonly Rule[] = [
  ...WORKLOADS.map(({ group, kinds, views }) => ({ apiGroups: [group], resources: [...kinds, ...views], verbs: READ })),
  { apiGroups: ['apps'], resources: SCALES, verbs: READ },
  { apiGroups: [''], resources: CORE_SCALES, verbs: READ },
  {
    apiGroups: [''],
    resources: ['limitranges', 'namespaces', 'namespaces/status', 'resourcequotas', 'resourcequotas/status'],
    verbs: READ,
  },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: READ },
]

const EDIT: readonly Rule[] = [
  ...WORKLOADS.map(({ group, kinds }) => ({ apiGroups: [group], resources: kinds, verbs: WRITE })),
  { apiGroups: ['apps'], resources: [...SCALES, 'deployments/rollback'], verbs: WRITE },
  { apiGroups: [''], resources: CORE_SCALES, verbs: WRITE },
  {
    apiGroups: [''],
    resources: ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'],
    verbs: [...READ, ...WRITE],
  },
  { apiGroups: [''], resources: ['pods/eviction', 'serviceaccounts/token'], verbs: ['create'] },
  { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['impersonate'] },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: [...READ, ...WRITE] },
]

const ADMIN: readonly Rule[] = [
  { apiGroups: ['authorization.k8s.io'], resources: ['localsubjectaccessreviews'], verbs: ['create'] },
  { apiGroups: [RBAC], resources: ['roles', 'rolebindings'], verbs: [...READ, ...WRITE] },
]

const HEALTH = ['/healthz', '/livez', '/readyz', '/version', '/version/']
const DISCOVERY = ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*', ...HEALTH]

/** The roles and bindings of a fresh cluster. */
export function bootstrapRoles(): readonly KubeObject[] {
  const part = (role: string, rules: readonly Rule[]): KubeObject =>
    clusterRole(`system:aggregate-to-${role}`, rules, { [`${AGGREGATE}${role}`]: 'true' })
  return [
    clusterRole('cluster-admin', [
      { apiGroups: ALL, resources: ALL, verbs: ALL },
      { nonResourceURLs: ALL, verbs: ALL },
    ]),
    part('view', VIEW),
    part('edit', EDIT),
    part('admin', ADMIN),
    aggregated('view', 'edit'),
    aggregated('edit', 'admin'),
    aggregated('admin'),
    clusterRole('system:discovery', [{ nonResourceURLs: DISCOVERY, verbs: ['get'] }]),
    clusterRole('system:public-info-viewer', [{ nonResourceURLs: HEALTH, verbs: ['get'] }]),
    clusterRole('system:monitoring', [
      { nonResourceURLs: ['/healthz/*', '/livez/*', '/metrics', '/readyz/*', ...HEALTH], verbs: ['get'] },
    ]),
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
    binding('system:public-info-viewer', 'system:public-info-viewer', [
      'system:authenticated',
      'system:unauthenticated',
    ]),
    binding('system:monitoring', 'system:monitoring', ['system:monitoring']),
    binding('system:basic-user', 'system:basic-user', ['system:authenticated']),
    binding('system:service-account-issuer-discovery', 'system:service-account-issuer-discovery', [
      'system:serviceaccounts',
    ]),
  ]
}
