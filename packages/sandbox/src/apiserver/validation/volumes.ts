import { parseQuantity } from '../../objects/quantity.ts'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, jsonEqual, objectOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { forbiddenValue, immutable, invalidValue, requiredValue, unsupportedValue } from './causes.ts'

const ACCESS = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']
const MODES = ['Block', 'Filesystem']
const RECLAIM = ['Delete', 'Recycle', 'Retain']
const BINDING = ['Immediate', 'WaitForFirstConsumer']

/** Members of a PersistentVolume's spec that are not its source. */
const NO_SOURCE = new Set([
  'capacity',
  'accessModes',
  'claimRef',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'mountOptions',
  'volumeMode',
  'nodeAffinity',
  'volumeAttributesClassName',
])

function accessCauses(spec: JsonObject): readonly StatusCause[] {
  const modes = arrayOf(spec['accessModes'])
  if (modes.length === 0) return [requiredValue('spec.accessModes', 'at least 1 access mode is required')]
  return modes
    .filter((mode) => !ACCESS.includes(String(mode)))
    .map((mode) => unsupportedValue('spec.accessModes', mode, ACCESS))
}

function storageCauses(value: unknown, field: string): readonly StatusCause[] {
  if (value === undefined) return [requiredValue(field)]
  const size = parseQuantity(value)
  return size !== undefined && size > 0 ? [] : [invalidValue(field, value, 'must be a quantity greater than zero')]
}

function modeCauses(spec: JsonObject): readonly StatusCause[] {
  const mode = spec['volumeMode']
  return MODES.includes(String(mode)) ? [] : [unsupportedValue('spec.volumeMode', mode, MODES)]
}

export function validateVolume(volume: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const spec = objectOf(volume['spec'])
  const causes = [...accessCauses(spec), ...modeCauses(spec)]
  causes.push(...storageCauses(at(spec, 'capacity', 'storage'), 'spec.capacity[storage]'))
  const policy = spec['persistentVolumeReclaimPolicy']
  if (!RECLAIM.includes(String(policy)))
    causes.push(unsupportedValue('spec.persistentVolumeReclaimPolicy', policy, RECLAIM))
  const sources = Object.keys(spec).filter((key) => !NO_SOURCE.has(key) && isObject(spec[key]))
  if (sources.length === 0) causes.push(requiredValue('spec', 'must specify a volume type'))
  for (const source of sources.slice(1))
    causes.push(forbiddenValue(`spec.${source}`, 'may not specify more than 1 volume type'))
  const source = sources[0] ?? ''
  if (old !== undefined && !jsonEqual(spec[source], at(old, 'spec', source)))
    causes.push(
      forbiddenValue('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'),
    )
  return causes
}

export function validateClaim(claim: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const spec = objectOf(claim['spec'])
  const causes = [...accessCauses(spec), ...modeCauses(spec)]
  causes.push(...storageCauses(at(spec, 'resources', 'requests', 'storage'), 'spec.resources[storage]'))
  if (old === undefined) return causes
  const before = objectOf(old['spec'])
  // Bound once by the binder; the size may grow; the class may be filled in.
  const fixed = (value: JsonObject): JsonObject => {
    const { resources: _resources, volumeName: _name, storageClassName: _class, ...rest } = value
    return rest
  }
  const isChanged = (key: string): boolean => before[key] !== undefined && spec[key] !== before[key]
  if (!jsonEqual(fixed(spec), fixed(before)) || isChanged('volumeName') || isChanged('storageClassName'))
    causes.push(
      forbiddenValue(
        'spec',
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      ),
    )
  const size = parseQuantity(at(spec, 'resources', 'requests', 'storage')) ?? 0
  const was = parseQuantity(at(before, 'resources', 'requests', 'storage')) ?? 0
  if (size < was)
    causes.push(forbiddenValue('spec.resources.requests.storage', 'field can not be less than previous value'))
  return causes
}

export function validateStorageClass(item: KubeObject, old: KubeObject | undefined): readonly StatusCause[] {
  const causes: StatusCause[] = []
  if (!item['provisioner']) causes.push(requiredValue('provisioner'))
  if (!['Delete', 'Retain'].includes(String(item['reclaimPolicy'])))
    causes.push(unsupportedValue('reclaimPolicy', item['reclaimPolicy'], ['Delete', 'Retain']))
  if (!BINDING.includes(String(item['volumeBindingMode'])))
    causes.push(unsupportedValue('volumeBindingMode', item['volumeBindingMode'], BINDING))
  if (old !== undefined)
    for (const key of ['provisioner', 'parameters', 'reclaimPolicy', 'volumeBindingMode'])
      if (!jsonEqual(item[key], old[key])) causes.push(immutable(key, item[key]))
  return causes
}
