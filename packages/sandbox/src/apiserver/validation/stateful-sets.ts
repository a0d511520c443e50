import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, jsonEqual, objectOf, textOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { forbiddenValue, requiredValue, unsupportedValue } from './causes.ts'
import { validateWorkload } from './pods.ts'

const MANAGEMENT = ['OrderedReady', 'Parallel']
const STRATEGIES = ['OnDelete', 'RollingUpdate']
const RETENTION = ['Delete', 'Retain']

/** What of a set's spec may change while it runs. */
const CHANGEABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]

export function validateStatefulSet(object: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const spec = objectOf(object['spec'])
  // Templates of claims are volumes that a pod gets from its set.
  const claims = arrayOf(spec['volumeClaimTemplates']).map((claim) => textOf(at(claim, 'metadata', 'name') ?? ''))
  const causes = [...validateWorkload(object, undefined, claims)]
  if (!MANAGEMENT.includes(String(spec['podManagementPolicy'])))
    causes.push(unsupportedValue('spec.podManagementPolicy', spec['podManagementPolicy'], MANAGEMENT))
  const strategy = at(spec, 'updateStrategy', 'type')
  if (!STRATEGIES.includes(String(strategy)))
    causes.push(unsupportedValue('spec.updateStrategy.type', strategy, STRATEGIES))
  for (const key of ['whenDeleted', 'whenScaled']) {
    const policy = at(spec, 'persistentVolumeClaimRetentionPolicy', key)
    if (!RETENTION.includes(String(policy)))
      causes.push(unsupportedValue(`spec.persistentVolumeClaimRetentionPolicy.${key}`, policy, RETENTION))
  }
  for (const [index, name] of claims.entries())
    if (name === '') causes.push(requiredValue(`spec.volumeClaimTemplates[${index}].metadata.name`))
  if (old !== undefined && !jsonEqual(fixedPart(spec), fixedPart(objectOf(old['spec'])))) {
    const list = `'${CHANGEABLE.slice(0, -1).join("', '")}' and '${CHANGEABLE.at(-1)}'`
    causes.push(forbiddenValue('spec', `updates to statefulset spec for fields other than ${list} are forbidden`))
  }
  return causes
}

function fixedPart(spec: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => !CHANGEABLE.includes(key)))
}
