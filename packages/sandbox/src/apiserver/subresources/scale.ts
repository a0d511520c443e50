import type { KubeObject } from '../contract.types.ts'
import { at, objectOf } from '../json.ts'
import { invalid } from '../status-error.ts'

/** The autoscaling/v1 Scale of a Deployment or ReplicaSet. */
export function toScale(object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const labels = objectOf(at(object, 'spec', 'selector', 'matchLabels'))
  const selector = Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`)
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: at(object, 'spec', 'replicas') ?? 0 },
    status: { replicas: at(object, 'status', 'replicas') ?? 0, selector: selector.join(',') },
  }
}

/** The object with the replicas that a Scale asks for. */
export function withScale(object: KubeObject, scale: unknown): KubeObject {
  const replicas = at(scale, 'spec', 'replicas') ?? 0
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0)
    throw invalid('autoscaling', 'Scale', object.metadata.name ?? '', [
      {
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
        field: 'spec.replicas',
      },
    ])
  const resourceVersion = at(scale, 'metadata', 'resourceVersion')
  const metadata = {
    ...object.metadata,
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : undefined,
  }
  return { ...object, metadata, spec: { ...objectOf(object['spec']), replicas } }
}
