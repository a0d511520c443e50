import { LABELS } from '@ambit/api'
import type { ObjectMeta } from '@ambit/kube'
import type { StringMap } from './json.ts'

/** Jobs of a CronJob are named after the minute they were due, 8 to 10 digits. */
const CRON_JOB = /^(.+)-\d{8,10}$/

/** Name of what the user deployed: the Deployment rather than its ReplicaSet, the CronJob rather than its Job. */
export function workloadNameOf(metadata: ObjectMeta, labels: StringMap): string {
  const override = labels[LABELS.workloadName]
  if (override) return override
  if (!metadata.generateName) return metadata.name
  const owner = metadata.ownerReferences?.find((reference) => reference.controller === true)
  if (owner === undefined) return metadata.name
  const hash = labels['pod-template-hash']
  const rollout = labels['rollouts-pod-template-hash']
  switch (owner.kind) {
    case 'ReplicaSet':
      return withoutSuffix(owner.name, hash) ?? withoutSuffix(owner.name, rollout) ?? owner.name
    case 'ReplicationController':
      return labels['deploymentconfig'] ?? owner.name
    case 'Job':
      return CRON_JOB.exec(owner.name)?.[1] ?? owner.name
    default:
      return owner.name
  }
}

function withoutSuffix(name: string, hash: string | undefined): string | undefined {
  if (!hash || !name.endsWith(`-${hash}`)) return undefined
  return name.slice(0, -hash.length - 1)
}
