import { list, number, record, stringMap, text } from './field.ts'
import type { AnyObject, Sourced } from './source.types.ts'

/** A pod, or what pods a file's Deployment, Job and their like would make. */
export interface Workload {
  readonly source: Sourced
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly hostNetwork: boolean
  readonly phase: string
  readonly node: string
  readonly serviceAccount: string
  readonly containers: readonly string[]
}

/** Where the template of pods stands. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  'apps/Deployment': ['template'],
  'apps/StatefulSet': ['template'],
  'apps/DaemonSet': ['template'],
  'apps/ReplicaSet': ['template'],
  'batch/Job': ['template'],
  'batch/CronJob': ['jobTemplate', 'spec', 'template'],
}

export function workloadOf(kind: string, source: Sourced): Workload | undefined {
  const { object, place } = source
  const { namespace = '', name } = object.metadata
  if (kind === 'core/Pod') return hasEnded(object.status) ? undefined : made(source, namespace, name, object)
  // The cluster's own are there as pods.
  const template = place === undefined ? undefined : templateOf(kind, object)
  return template === undefined ? undefined : made(source, namespace, name, template)
}

/** What the pods of a Deployment, Job and their like look like; undefined where it starts none. */
export function templateOf(kind: string, { spec }: AnyObject): unknown {
  const way = TEMPLATES[kind]
  if (way === undefined || number(record(spec)['replicas']) === 0) return undefined
  let template: unknown = spec
  for (const step of way) template = record(template)[step]
  return template
}

/** Its processes are gone for good, although the object stays. */
function hasEnded(status: unknown): boolean {
  return ['Succeeded', 'Failed'].includes(text(record(status)['phase']))
}

function made(source: Sourced, namespace: string, name: string, pod: unknown): Workload {
  const { metadata, spec, status } = record(pod)
  const fields = record(spec)
  return {
    source,
    namespace,
    name,
    labels: stringMap(record(metadata)['labels']),
    annotations: stringMap(record(metadata)['annotations']),
    hostNetwork: fields['hostNetwork'] === true,
    phase: text(record(status)['phase']),
    node: text(fields['nodeName']),
    serviceAccount: text(fields['serviceAccountName']) || 'default',
    containers: [...list(fields['containers']), ...list(fields['initContainers'])].map((each) =>
      text(record(each)['name']),
    ),
  }
}
