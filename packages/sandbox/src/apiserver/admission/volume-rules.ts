import { type JsonObject, objectOf } from '../json.ts'
import type { KindRules, RuleEnvironment } from '../resources/kind-rules.types.ts'
import { validateClaim, validateStorageClass, validateVolume } from '../validation/volumes.ts'
import { limitClaim } from './limit-range.ts'

const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class'

/** Defaults of a claim, of its own or in a StatefulSet. */
export function defaultClaim(claim: JsonObject): void {
  const spec = objectOf(claim['spec'])
  claim['spec'] = spec
  spec['volumeMode'] ??= 'Filesystem'
  const status = objectOf(claim['status'])
  claim['status'] = status
  status['phase'] ??= 'Pending'
}

/** The class of claims that name none: of several the newest, as in Kubernetes. */
function defaultStorageClass(environment: RuleEnvironment): string | undefined {
  const marked = environment.store
    .list('storage.k8s.io/storageclasses')
    .filter((item) => item.metadata.annotations?.[DEFAULT_CLASS] === 'true')
    .toSorted((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? 1 : -1))
  return marked[0]?.metadata.name
}

/** Volumes, claims and their classes. */
export const VOLUME_RULES: Readonly<Record<string, KindRules>> = {
  '/PersistentVolume': {
    defaults(volume, old) {
      const spec = objectOf(volume['spec'])
      volume['spec'] = spec
      spec['volumeMode'] ??= 'Filesystem'
      spec['persistentVolumeReclaimPolicy'] ??= 'Retain'
      const path = spec['hostPath']
      if (path !== undefined) objectOf(path)['type'] ??= ''
      if (old === undefined) volume['status'] = { phase: 'Pending' }
    },
    validate: validateVolume,
  },
  '/PersistentVolumeClaim': {
    defaults(claim, old) {
      if (old === undefined) delete claim['status']
      defaultClaim(claim)
    },
    admitCreate(claim, environment) {
      const spec = objectOf(claim['spec'])
      const chosen = spec['storageClassName'] ?? claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class']
      const fallback = chosen === undefined ? defaultStorageClass(environment) : undefined
      if (fallback !== undefined) spec['storageClassName'] = fallback
      limitClaim(claim, environment)
    },
    validate: validateClaim,
  },
  'storage.k8s.io/StorageClass': {
    defaults(item) {
      item['reclaimPolicy'] ??= 'Delete'
      item['volumeBindingMode'] ??= 'Immediate'
    },
    validate: validateStorageClass,
  },
}
