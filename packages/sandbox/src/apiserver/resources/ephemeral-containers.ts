import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, cloneJson, jsonEqual, objectOf } from '../json.ts'
import { invalid } from '../status-error.ts'
import { forbiddenValue } from '../validation/causes.ts'

/** A pod with the ephemeral containers of another state: they are added, and never changed or taken away. */
export function withEphemeralContainers(old: KubeObject, next: KubeObject): KubeObject {
  const before = arrayOf(at(old, 'spec', 'ephemeralContainers'))
  const after = arrayOf(at(next, 'spec', 'ephemeralContainers'))
  const kept = before.every((container) =>
    after.some((other) => at(other, 'name') === at(container, 'name') && jsonEqual(other, container)),
  )
  if (!kept)
    throw invalid('', 'Pod', old.metadata.name ?? '', [
      forbiddenValue('spec.ephemeralContainers', 'existing ephemeral containers may not be changed or removed'),
    ])
  return { ...old, spec: { ...objectOf(old['spec']), ephemeralContainers: cloneJson(after) } }
}
