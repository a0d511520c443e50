import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, textOf } from '../json.ts'
import { age, type ColumnSet, containersText, count, number, selectorText } from './cells.ts'
import { ageOf, humanDuration } from './duration.ts'

/** States a Job may be in, the deciding one first. */
function jobStatus(job: KubeObject): string {
  const conditions = arrayOf(at(job, 'status', 'conditions')).filter((item) => at(item, 'status') === 'True')
  const has = (type: string): boolean => conditions.some((item) => at(item, 'type') === type)
  if (has('Complete')) return 'Complete'
  if (has('Failed')) return 'Failed'
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating'
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(has) ?? 'Running'
}

function jobCompletions(job: KubeObject): string {
  const succeeded = number(job, 'status', 'succeeded')
  const completions = at(job, 'spec', 'completions')
  if (typeof completions === 'number') return `${succeeded}/${completions}`
  const parallelism = number(job, 'spec', 'parallelism')
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`
}

function jobDuration(job: KubeObject, nowMs: number): string {
  const time = (name: string): number => Date.parse(textOf(at(job, 'status', name)))
  const start = time('startTime')
  if (Number.isNaN(start)) return ''
  const end = time('completionTime')
  return humanDuration((Number.isNaN(end) ? nowMs : end) - start)
}

/** `cpu: 10%/80%` of each metric; `<unknown>` until it was measured. */
function autoscalerTargets(autoscaler: KubeObject): string {
  const current = arrayOf(at(autoscaler, 'status', 'currentMetrics'))
  const shown = arrayOf(at(autoscaler, 'spec', 'metrics')).map((metric) => {
    const type = textOf(at(metric, 'type'))
    const source = `${type.charAt(0).toLowerCase()}${type.slice(1)}`
    const name = textOf(at(metric, source, 'name') ?? at(metric, source, 'metric', 'name') ?? '')
    const measured = current.find((item) => at(item, 'type') === type && at(item, source, 'name') === name)
    const utilization = at(metric, source, 'target', 'averageUtilization')
    const now = (field: string): string => textOf(at(measured, source, 'current', field) ?? '<unknown>')
    if (utilization !== undefined) {
      const value = now('averageUtilization')
      return `${name}: ${value === '<unknown>' ? value : `${value}%`}/${textOf(utilization)}%`
    }
    const average = at(metric, source, 'target', 'averageValue')
    if (average !== undefined)
      return `${name}: ${now('averageValue')}/${textOf(average)}${source === 'resource' ? '' : ' (avg)'}`
    return `${name}: ${now('value')}/${textOf(at(metric, source, 'target', 'value') ?? '<auto>')}`
  })
  if (shown.length === 0) return '<none>'
  return shown.length > 2 ? `${shown.slice(0, 2).join(', ')} + ${shown.length - 2} more...` : shown.join(', ')
}

const REPLICAS: ColumnSet = {
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
}

/** What keeps pods running and counts them. */
export const WORKLOAD_COLUMNS: Readonly<Record<string, ColumnSet>> = {
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
  'apps/ReplicaSet': REPLICAS,
  '/ReplicationController': REPLICAS,
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
  'apps/StatefulSet': {
    columns: ['Name', 'Ready', 'Age', 'Containers*', 'Images*'],
    cells: (object, nowMs) => [
      object.metadata.name,
      `${number(object, 'status', 'readyReplicas')}/${number(object, 'spec', 'replicas')}`,
      age(object, nowMs),
      ...containersText(object),
    ],
  },
  'apps/ControllerRevision': {
    columns: ['Name', 'Controller', 'Revision', 'Age'],
    cells(object, nowMs) {
      const owner = object.metadata.ownerReferences?.find((item) => item.controller === true)
      const [group = ''] = (owner?.apiVersion ?? '').includes('/') ? (owner?.apiVersion.split('/') ?? []) : []
      const kind = owner?.kind.toLowerCase() ?? ''
      const shown = owner === undefined ? '<none>' : `${kind}${group === '' ? '' : `.${group}`}/${owner.name}`
      return [object.metadata.name, shown, object['revision'] ?? 0, age(object, nowMs)]
    },
  },
  'batch/Job': {
    columns: ['Name', 'Status', 'Completions', 'Duration', 'Age', 'Containers*', 'Images*', 'Selector*'],
    cells: (object, nowMs) => [
      object.metadata.name,
      jobStatus(object),
      jobCompletions(object),
      jobDuration(object, nowMs),
      age(object, nowMs),
      ...containersText(object),
      selectorText(at(object, 'spec', 'selector')),
    ],
  },
  'batch/CronJob': {
    columns: [
      'Name',
      'Schedule',
      'Timezone',
      'Suspend',
      'Active',
      'Last Schedule',
      'Age',
      'Containers*',
      'Images*',
      'Selector*',
    ],
    cells(object, nowMs) {
      const last = at(object, 'status', 'lastScheduleTime')
      return [
        object.metadata.name,
        at(object, 'spec', 'schedule'),
        at(object, 'spec', 'timeZone') ?? '<none>',
        at(object, 'spec', 'suspend') === true ? 'True' : 'False',
        count(at(object, 'status', 'active')),
        last === undefined ? '<none>' : ageOf(last, nowMs),
        age(object, nowMs),
        ...containersText({ ...object, spec: at(object, 'spec', 'jobTemplate', 'spec') }),
        selectorText(at(object, 'spec', 'jobTemplate', 'spec', 'selector')),
      ]
    },
  },
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
  'autoscaling/HorizontalPodAutoscaler': {
    columns: ['Name', 'Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas', 'Age'],
    cells: (object, nowMs) => [
      object.metadata.name,
      `${String(at(object, 'spec', 'scaleTargetRef', 'kind'))}/${String(at(object, 'spec', 'scaleTargetRef', 'name'))}`,
      autoscalerTargets(object),
      number(object, 'spec', 'minReplicas'),
      number(object, 'spec', 'maxReplicas'),
      number(object, 'status', 'currentReplicas'),
      age(object, nowMs),
    ],
  },
}
