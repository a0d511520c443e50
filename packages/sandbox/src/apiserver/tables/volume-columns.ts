import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, objectOf, textOf } from '../json.ts'
import { age, type ColumnSet } from './cells.ts'

const SHORT_MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
}

function modesText(modes: unknown): string {
  return arrayOf(modes)
    .map((mode) => SHORT_MODES[String(mode)] ?? String(mode))
    .join(',')
}

function phaseOf(object: KubeObject): unknown {
  return object.metadata.deletionTimestamp === undefined ? at(object, 'status', 'phase') : 'Terminating'
}

/** `name: used/hard` of the limits that satisfy a test. */
function quotaText(quota: KubeObject, isShown: (name: string) => boolean): string {
  const used = objectOf(at(quota, 'status', 'used'))
  return Object.entries(objectOf(at(quota, 'status', 'hard') ?? at(quota, 'spec', 'hard')))
    .filter(([name]) => isShown(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, hard]) => `${name}: ${textOf(used[name] ?? 0)}/${textOf(hard)}`)
    .join(', ')
}

/** Volumes and what limits their use. */
export const VOLUME_COLUMNS: Readonly<Record<string, ColumnSet>> = {
  '/PersistentVolume': {
    columns: [
      'Name',
      'Capacity',
      'Access Modes',
      'Reclaim Policy',
      'Status',
      'Claim',
      'StorageClass',
      'VolumeAttributesClass',
      'Reason',
      'Age',
      'VolumeMode*',
    ],
    cells(object, nowMs) {
      const claim = at(object, 'spec', 'claimRef')
      return [
        object.metadata.name,
        textOf(at(object, 'spec', 'capacity', 'storage') ?? ''),
        modesText(at(object, 'spec', 'accessModes')),
        at(object, 'spec', 'persistentVolumeReclaimPolicy'),
        phaseOf(object),
        claim === undefined ? '' : `${textOf(at(claim, 'namespace'))}/${textOf(at(claim, 'name'))}`,
        at(object, 'spec', 'storageClassName') ?? '',
        at(object, 'spec', 'volumeAttributesClassName') ?? '<unset>',
        at(object, 'status', 'reason') ?? '',
        age(object, nowMs),
        at(object, 'spec', 'volumeMode') ?? '<unset>',
      ]
    },
  },
  '/PersistentVolumeClaim': {
    columns: [
      'Name',
      'Status',
      'Volume',
      'Capacity',
      'Access Modes',
      'StorageClass',
      'VolumeAttributesClass',
      'Age',
      'VolumeMode*',
    ],
    cells(object, nowMs) {
      const volume = at(object, 'spec', 'volumeName')
      return [
        object.metadata.name,
        phaseOf(object),
        volume ?? '',
        volume ? textOf(at(object, 'status', 'capacity', 'storage') ?? '') : '',
        volume ? modesText(at(object, 'status', 'accessModes')) : '',
        at(object, 'spec', 'storageClassName') ?? '',
        at(object, 'spec', 'volumeAttributesClassName') ?? '<unset>',
        age(object, nowMs),
        at(object, 'spec', 'volumeMode') ?? '<unset>',
      ]
    },
  },
  'storage.k8s.io/StorageClass': {
    columns: ['Name', 'Provisioner', 'ReclaimPolicy', 'VolumeBindingMode', 'AllowVolumeExpansion', 'Age'],
    cells(object, nowMs) {
      const isDefault = object.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true'
      return [
        `${object.metadata.name}${isDefault ? ' (default)' : ''}`,
        object['provisioner'],
        object['reclaimPolicy'],
        object['volumeBindingMode'],
        object['allowVolumeExpansion'] === true,
        age(object, nowMs),
      ]
    },
  },
  '/ResourceQuota': {
    columns: ['Name', 'Request', 'Limit', 'Age'],
    cells: (object, nowMs) => [
      object.metadata.name,
      quotaText(object, (name) => !name.startsWith('limits.')),
      quotaText(object, (name) => name.startsWith('limits.')),
      age(object, nowMs),
    ],
  },
}
