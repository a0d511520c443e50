import { randomUUID } from 'node:crypto'
import type { JsonObject } from '../json.ts'
import { apiVersionOf } from '../resources/resource-definition.ts'
import { inVersion } from '../resources/target.ts'
import type { AdmissionPoint } from '../resources/writing.ts'

const OPTIONS = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions' } as const

/** The `request` of an AdmissionReview (admission.k8s.io/v1), objects in the version that was asked for. */
export function admissionRequest(point: AdmissionPoint, version: string): JsonObject {
  const { operation, target, object, old, context } = point
  const { definition, subresource } = target
  const { group } = definition
  const kind = (each: string): JsonObject => ({ group, version: each, kind: definition.kind })
  const resource = (each: string): JsonObject => ({ group, version: each, resource: definition.resource })
  const shown = { definition, version }
  const sub = subresource === undefined ? {} : { subResource: subresource, requestSubResource: subresource }
  return {
    uid: randomUUID(),
    kind: kind(version),
    resource: resource(version),
    requestKind: kind(target.version),
    requestResource: resource(target.version),
    ...sub,
    name: object?.metadata.name ?? old?.metadata.name ?? target.name,
    ...(definition.namespaced ? { namespace: target.namespace } : {}),
    operation,
    userInfo: context.user,
    object: object === undefined ? null : inVersion(object, shown),
    oldObject: old === undefined ? null : inVersion(old, shown),
    dryRun: context.dryRun,
    options: {
      kind: OPTIONS[operation],
      apiVersion: apiVersionOf('meta.k8s.io', 'v1'),
      ...(operation === 'DELETE' ? {} : { fieldManager: context.manager }),
      ...(context.dryRun ? { dryRun: ['All'] } : {}),
    },
  }
}
