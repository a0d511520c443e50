import type { KubeObject } from '../contract.types.ts'
import { MAX_CAUSES } from '../limits.ts'
import { checkFields } from '../schema/check-fields.ts'
import { badRequest } from '../status-error.ts'
import { asKubeObject } from './object-meta.ts'
import type { RequestContext } from './request-context.ts'
import { apiVersionOf, type ResourceDefinition } from './resource-definition.ts'

/** An object as a request sent it, of the right kind and types; fields nobody knows are reported as the request asks for. */
export function decodeRequestObject(
  target: { readonly definition: ResourceDefinition; readonly version: string },
  body: unknown,
  context: RequestContext,
): KubeObject {
  const { definition, version } = target
  const object = asKubeObject(body, apiVersionOf(definition.group, version), definition.kind)
  const custom = definition.custom?.(version)
  if (custom !== undefined) {
    // In-process callers may leave undefined members, which JSON doesn't know.
    const pruned = JSON.parse(JSON.stringify(object)) as KubeObject
    const unknown = custom.prune(pruned)
    reportUnknown(definition, version, unknown, context)
    return pruned
  }
  const check = checkFields(definition.type(version), object)
  if (check.mismatches.length > 0)
    throw badRequest(
      `${definition.kind} in version "${version}" cannot be handled as a ${definition.kind}: json: ${check.mismatches.slice(0, 10).join('; ')}`,
    )
  reportUnknown(definition, version, check.unknown, context)
  return check.value as KubeObject
}

function reportUnknown(
  definition: ResourceDefinition,
  version: string,
  unknown: readonly string[],
  context: RequestContext,
): void {
  if (unknown.length === 0 || context.fieldValidation === 'Ignore') return
  const texts = unknown.slice(0, MAX_CAUSES).map((path) => `unknown field "${path}"`)
  if (context.fieldValidation === 'Warn') context.warnings.push(...texts)
  else
    throw badRequest(
      `${definition.kind} in version "${version}" cannot be handled as a ${definition.kind}: strict decoding error: ${texts.join(', ')}`,
    )
}
