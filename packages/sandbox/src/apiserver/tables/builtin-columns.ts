import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, textOf } from '../json.ts'
import { age, type ColumnSet, count, selectorText } from './cells.ts'
import { ageOf } from './duration.ts'
import { NETWORK_COLUMNS } from './network-columns.ts'
import { podCells } from './pod-row.ts'
import { VOLUME_COLUMNS } from './volume-columns.ts'
import { WORKLOAD_COLUMNS } from './workload-columns.ts'

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
  'coordination.k8s.io/Lease': {
    columns: ['Name', 'Holder', 'Age'],
    cells: (object, nowMs) => [object.metadata.name, at(object, 'spec', 'holderIdentity') ?? '', age(object, nowMs)],
  },
  'rbac.authorization.k8s.io/Role': ROLE,
  'rbac.authorization.k8s.io/ClusterRole': ROLE,
  'rbac.authorization.k8s.io/RoleBinding': BINDING,
  'rbac.authorization.k8s.io/ClusterRoleBinding': BINDING,
  'apiextensions.k8s.io/CustomResourceDefinition': ROLE,
  'scheduling.k8s.io/PriorityClass': {
    columns: ['Name', 'Value', 'Global-Default', 'Age'],
    cells: (object, nowMs) => [
      object.metadata.name,
      object['value'],
      object['globalDefault'] === true,
      age(object, nowMs),
    ],
  },
  '/LimitRange': ROLE,
  'node.k8s.io/RuntimeClass': {
    columns: ['Name', 'Handler', 'Age'],
    cells: (object, nowMs) => [object.metadata.name, object['handler'], age(object, nowMs)],
  },
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy': {
    columns: ['Name', 'Validations', 'ParamKind', 'Age'],
    cells(object, nowMs) {
      const kind = at(object, 'spec', 'paramKind')
      const shown = isObject(kind) ? `${textOf(kind['apiVersion'])}/${textOf(kind['kind'])}` : '<unset>'
      return [object.metadata.name, count(at(object, 'spec', 'validations')), shown, age(object, nowMs)]
    },
  },
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding': {
    columns: ['Name', 'PolicyName', 'ParamRef', 'Age'],
    cells(object, nowMs) {
      const reference = at(object, 'spec', 'paramRef')
      const namespace = at(reference, 'namespace')
      const name = textOf(at(reference, 'name') ?? '*')
      const shown = isObject(reference) ? (namespace ? `${textOf(namespace)}/${name}` : name) : '<unset>'
      return [object.metadata.name, at(object, 'spec', 'policyName'), shown, age(object, nowMs)]
    },
  },
  'apiregistration.k8s.io/APIService': {
    columns: ['Name', 'Service', 'Available', 'Age'],
    cells: (object, nowMs) => [object.metadata.name, 'Local', 'True', age(object, nowMs)],
  },
  ...WORKLOAD_COLUMNS,
  ...VOLUME_COLUMNS,
  ...NETWORK_COLUMNS,
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
