import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, objectOf, textOf } from '../json.ts'
import { ageOf } from './duration.ts'
import { podCells } from './pod-row.ts'

export interface ColumnSet {
  /** `Name`, `Age`, …; a trailing `*` shows only with -o wide. */
  readonly columns: readonly string[]
  cells(object: KubeObject, nowMs: number): readonly unknown[]
}

const count = (value: unknown): number => (isObject(value) ? Object.keys(value).length : arrayOf(value).length)
const age = (object: KubeObject, nowMs: number): string => ageOf(object.metadata.creationTimestamp, nowMs)
const number = (object: KubeObject, ...path: readonly string[]): number => Number(at(object, ...path) ?? 0)

function selectorText(selector: unknown): string {
  const labels = objectOf(at(selector, 'matchLabels') ?? selector)
  const parts = Object.entries(labels)
    .filter(([key]) => key !== 'matchExpressions')
    .map(([key, value]) => `${key}=${String(value)}`)
  for (const item of arrayOf(at(selector, 'matchExpressions'))) {
    const values = arrayOf(at(item, 'values'))
    const operator = String(at(item, 'operator')).toLowerCase()
    parts.push(
      values.length > 0 ? `${String(at(item, 'key'))} ${operator} (${values.join(',')})` : String(at(item, 'key')),
    )
  }
  return parts.length > 0 ? parts.join(',') : '<none>'
}

function containersText(object: KubeObject): readonly [string, string] {
  const containers = arrayOf(at(object, 'spec', 'template', 'spec', 'containers'))
  return [containers.map((item) => at(item, 'name')).join(','), containers.map((item) => at(item, 'image')).join(',')]
}

function portsText(service: KubeObject): string {
  const ports = arrayOf(at(service, 'spec', 'ports')).map((port) => {
    const node = at(port, 'nodePort')
    return `${textOf(at(port, 'port'))}${node ? `:${textOf(node)}` : ''}/${textOf(at(port, 'protocol'))}`
  })
  return ports.length > 0 ? ports.join(',') : '<none>'
}

function externalIp(service: KubeObject): string {
  const type = at(service, 'spec', 'type')
  if (type === 'ExternalName') return String(at(service, 'spec', 'externalName'))
  const given = arrayOf(at(service, 'spec', 'externalIPs'))
  const ingress = arrayOf(at(service, 'status', 'loadBalancer', 'ingress')).map(
    (item) => at(item, 'ip') ?? at(item, 'hostname'),
  )
  const all = [...ingress, ...given]
  if (all.length > 0) return all.join(',')
  return type === 'LoadBalancer' ? '<pending>' : '<none>'
}

function nodeCells(node: KubeObject, nowMs: number): readonly unknown[] {
  const conditions = arrayOf(at(node, 'status', 'conditions'))
  const ready = conditions.find((item) => at(item, 'type') === 'Ready')
  const status = ready === undefined ? 'Unknown' : at(ready, 'status') === 'True' ? 'Ready' : 'NotReady'
  const cordoned = at(node, 'spec', 'unschedulable') === true ? ',SchedulingDisabled' : ''
  const prefix = 'node-role.kubernetes.io/'
  const roles = Object.keys(node.metadata.labels ?? {})
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
  const address = (type: string): unknown =>
    at(
      arrayOf(at(node, 'status', 'addresses')).find((item) => at(item, 'type') === type),
      'address',
    ) ?? '<none>'
  const info = (key: string): unknown => at(node, 'status', 'nodeInfo', key) ?? '<unknown>'
  return [
    node.metadata.name,
    status + cordoned,
    roles.length > 0 ? roles.join(',') : '<none>',
    age(node, nowMs),
    info('kubeletVersion'),
    address('InternalIP'),
    address('ExternalIP'),
    info('osImage'),
    info('kernelVersion'),
    info('containerRuntimeVersion'),
  ]
}

function eventCells(event: KubeObject, nowMs: number): readonly unknown[] {
  const regarding = at(event, 'involvedObject') ?? at(event, 'regarding')
  const last =
    at(event, 'series', 'lastObservedTime') ??
    at(event, 'lastTimestamp') ??
    at(event, 'eventTime') ??
    event.metadata.creationTimestamp
  const first = at(event, 'firstTimestamp') ?? at(event, 'eventTime') ?? event.metadata.creationTimestamp
  const source = [
    at(event, 'source', 'component') ?? at(event, 'reportingComponent') ?? at(event, 'reportingController'),
    at(event, 'source', 'host'),
  ]
  return [
    ageOf(last, nowMs),
    at(event, 'type') ?? '',
    at(event, 'reason') ?? '',
    `${textOf(at(regarding, 'kind') ?? '').toLowerCase()}/${textOf(at(regarding, 'name') ?? '')}`,
    at(regarding, 'fieldPath') ?? '',
    source.filter(Boolean).join(', '),
    textOf(at(event, 'message') ?? at(event, 'note') ?? '').trim(),
    ageOf(first, nowMs),
    at(event, 'count') ?? at(event, 'series', 'count') ?? 1,
    event.metadata.name,
  ]
}

const EVENT: ColumnSet = {
  columns: [
    'Last Seen',
    'Type',
    'Reason',
    'Object',
    'Subobject*',
    'Source*',
    'Message',
    'First Seen*',
    'Count*',
    'Name*',
  ],
  cells: eventCells,
}

const ROLE: ColumnSet = {
  columns: ['Name', 'Created At'],
  cells: (object) => [object.metadata.name, object.metadata.creationTimestamp],
}

const BINDING: ColumnSet = {
  columns: ['Name', 'Role', 'Age', 'Users*', 'Groups*', 'ServiceAccounts*'],
  cells(object, nowMs) {
    const subjects = arrayOf(object['subjects'])
    const of = (kind: string): string =>
      subjects
        .filter((subject) => at(subject, 'kind') === kind)
        .map((subject) =>
          kind === 'ServiceAccount'
            ? `${textOf(at(subject, 'namespace') ?? '')}/${textOf(at(subject, 'name'))}`
            : String(at(subject, 'name')),
        )
        .join(', ')
    const role = `${String(at(object, 'roleRef', 'kind'))}/${String(at(object, 'roleRef', 'name'))}`
    return [object.metadata.name, role, age(object, nowMs), of('User'), of('Group'), of('ServiceAccount')]
  },
}

const COLUMNS: Readonly<Record<string, ColumnSet>> = {
  '/Pod': {
    columns: ['Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP*', 'Node*', 'Nominated Node*', 'Readiness Gates*'],
    cells: podCells,
  },
  '/Node': {
    columns: [
      'Name',
      'Status',
      'Roles',
      'Age',
      'Version',
      'Internal-IP*',
      'External-IP*',
      'OS-Image*',
      'Kernel-Version*',
      'Container-Runtime*',
    ],
    cells: nodeCells,
  },
  '/Namespace': {
    columns: ['Name', 'Status', 'Age'],
    cells: (object, nowMs) => [object.metadata.name, at(object, 'status', 'phase') ?? '', age(object, nowMs)],
  },
  '/Service': {
    columns: ['Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', 'Selector*'],
    cells: (object, nowMs) => [
      object.metadata.name,
      at(object, 'spec', 'type'),
      at(object, 'spec', 'clusterIP') ?? '<none>',
      externalIp(object),
      portsText(object),
      age(object, nowMs),
      selectorText(at(object, 'spec', 'selector')),
    ],
  },
  '/ServiceAccount': {
    columns: ['Name', 'Secrets', 'Age'],
    cells: (object, nowMs) => [object.metadata.name, count(object['secrets']), age(object, nowMs)],
  },
  '/ConfigMap': {
    columns: ['Name', 'Data', 'Age'],
    cells: (object, nowMs) => [
      object.metadata.name,
      count(object['data']) + count(object['binaryData']),
      age(object, nowMs),
    ],
  },
  '/Secret': {
    columns: ['Name', 'Type', 'Data', 'Age'],
    cells: (object, nowMs) => [object.metadata.name, object['type'], count(object['data']), age(object, nowMs)],
  },
  '/Event': EVENT,
  'events.k8s.io/Event': EVENT,
  'apps/Deployment': {
    columns: ['Name', 'Ready', 'Up-to-date', 'Available', 'Age', 'Containers*', 'Images*', 'Selector*'],
    cells: (object, nowMs) => [
      object.metadata.name,
      `${number(object, 'status', 'readyReplicas')}/${number(object, 'spec', 'replicas')}`,
      number(object, 'status', 'updatedReplicas'),
      number(object, 'status', 'availableReplicas'),
      age(object, nowMs),
      ...containersText(object),
      selectorText(at(object, 'spec', 'selector')),
    ],
  },
  'apps/ReplicaSet': {
    columns: ['Name', 'Desired', 'Current', 'Ready', 'Age', 'Containers*', 'Images*', 'Selector*'],
    cells: (object, nowMs) => [
      object.metadata.name,
      number(object, 'spec', 'replicas'),
      number(object, 'status', 'replicas'),
      number(object, 'status', 'readyReplicas'),
      age(object, nowMs),
      ...containersText(object),
      selectorText(at(object, 'spec', 'selector')),
    ],
  },
  'apps/DaemonSet': {
    columns: [
      'Name',
      'Desired',
      'Current',
      'Ready',
      'Up-to-date',
      'Available',
      'Node Selector',
      'Age',
      'Containers*',
      'Images*',
      'Selector*',
    ],
    cells: (object, nowMs) => [
      object.metadata.name,
      number(object, 'status', 'desiredNumberScheduled'),
      number(object, 'status', 'currentNumberScheduled'),
      number(object, 'status', 'numberReady'),
      number(object, 'status', 'updatedNumberScheduled'),
      number(object, 'status', 'numberAvailable'),
      selectorText(at(object, 'spec', 'template', 'spec', 'nodeSelector')),
      age(object, nowMs),
      ...containersText(object),
      selectorText(at(object, 'spec', 'selector')),
    ],
  },
  'discovery.k8s.io/EndpointSlice': {
    columns: ['Name', 'AddressType', 'Ports', 'Endpoints', 'Age'],
    cells(object, nowMs) {
      const ports = arrayOf(object['ports']).map((port) => textOf(at(port, 'port') ?? '*'))
      const addresses = arrayOf(object['endpoints']).flatMap((endpoint) => arrayOf(at(endpoint, 'addresses')))
      const shown =
        addresses.length > 3
          ? `${addresses.slice(0, 3).join(',')} + ${addresses.length - 3} more...`
          : addresses.join(',')
      return [
        object.metadata.name,
        object['addressType'],
        ports.join(',') || '<unset>',
        shown || '<unset>',
        age(object, nowMs),
      ]
    },
  },
  'coordination.k8s.io/Lease': {
    columns: ['Name', 'Holder', 'Age'],
    cells: (object, nowMs) => [object.metadata.name, at(object, 'spec', 'holderIdentity') ?? '', age(object, nowMs)],
  },
  'rbac.authorization.k8s.io/Role': ROLE,
  'rbac.authorization.k8s.io/ClusterRole': ROLE,
  'rbac.authorization.k8s.io/RoleBinding': BINDING,
  'rbac.authorization.k8s.io/ClusterRoleBinding': BINDING,
  'apiextensions.k8s.io/CustomResourceDefinition': ROLE,
  'policy/PodDisruptionBudget': {
    columns: ['Name', 'Min Available', 'Max Unavailable', 'Allowed Disruptions', 'Age'],
    cells: (object, nowMs) => [
      object.metadata.name,
      textOf(at(object, 'spec', 'minAvailable') ?? 'N/A'),
      textOf(at(object, 'spec', 'maxUnavailable') ?? 'N/A'),
      number(object, 'status', 'disruptionsAllowed'),
      age(object, nowMs),
    ],
  },
  'networking.k8s.io/NetworkPolicy': {
    columns: ['Name', 'Pod-Selector', 'Age'],
    cells: (object, nowMs) => [
      object.metadata.name,
      selectorText(at(object, 'spec', 'podSelector')),
      age(object, nowMs),
    ],
  },
  'scheduling.k8s.io/PriorityClass': {
    columns: ['Name', 'Value', 'Global-Default', 'Age'],
    cells: (object, nowMs) => [
      object.metadata.name,
      object['value'],
      object['globalDefault'] === true,
      age(object, nowMs),
    ],
  },
  'autoscaling/HorizontalPodAutoscaler': {
    columns: ['Name', 'Reference', 'MinPods', 'MaxPods', 'Replicas', 'Age'],
    cells: (object, nowMs) => [
      object.metadata.name,
      `${String(at(object, 'spec', 'scaleTargetRef', 'kind'))}/${String(at(object, 'spec', 'scaleTargetRef', 'name'))}`,
      number(object, 'spec', 'minReplicas'),
      number(object, 'spec', 'maxReplicas'),
      number(object, 'status', 'currentReplicas'),
      age(object, nowMs),
    ],
  },
}

const WEBHOOK: ColumnSet = {
  columns: ['Name', 'Webhooks', 'Age'],
  cells: (object, nowMs) => [object.metadata.name, count(object['webhooks']), age(object, nowMs)],
}

/** Columns of a built-in kind; name and age for the rest. */
export function builtinColumns(group: string, kind: string): ColumnSet {
  if (kind.endsWith('WebhookConfiguration')) return WEBHOOK
  return (
    COLUMNS[`${group}/${kind}`] ?? {
      columns: ['Name', 'Age'],
      cells: (object, nowMs) => [object.metadata.name, age(object, nowMs)],
    }
  )
}
