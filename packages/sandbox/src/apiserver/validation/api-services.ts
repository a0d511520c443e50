import type { KubeObject } from '../contract.types.ts'
import { at, textOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { forbiddenValue, invalidValue } from './causes.ts'

/** Only what this server serves itself: a group that nobody answers for would fail everyone's discovery. */
export function validateApiService(object: KubeObject): readonly StatusCause[] {
  const name = `${textOf(at(object, 'spec', 'version') ?? '')}.${textOf(at(object, 'spec', 'group') ?? '')}`
  const causes: StatusCause[] = []
  if (at(object, 'spec', 'service') !== undefined)
    causes.push(forbiddenValue('spec.service', 'the sandbox passes nothing on to other API servers'))
  if (object.metadata.name !== name)
    causes.push(
      invalidValue('metadata.name', object.metadata.name, `must be \`spec.version+"."+spec.group\`: "${name}"`),
    )
  return causes
}
