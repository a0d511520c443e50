import type { TargetRef } from '../domain.types.ts'
import { type Json, list, record, type StringMap, text } from './json.ts'

/** How policies of Istio 1.18 name their waypoint: by a label of its pods. */
const GATEWAY_NAME_LABEL = 'istio.io/gateway-name'

/** What a policy of any kind is attached to; the singular field is the older spelling. */
export function decodeTargetRefs(spec: Json): readonly TargetRef[] {
  const written = [...list(spec['targetRefs']), ...(spec['targetRef'] === undefined ? [] : [spec['targetRef']])]
  return written.map(decodeTarget)
}

/** The waypoint of the older form that the selector means, and nothing but that. */
export function targetOfSelector(selector: StringMap | undefined): TargetRef | undefined {
  const [name, ...others] = Object.keys(selector ?? {})
  if (name !== GATEWAY_NAME_LABEL || others.length > 0) return undefined
  return {
    group: 'gateway.networking.k8s.io',
    kind: 'Gateway',
    name: selector?.[name] ?? '',
    namespace: undefined,
    bySelector: true,
  }
}

function decodeTarget(value: unknown): TargetRef {
  const target = record(value)
  return {
    group: text(target['group']) ?? '',
    kind: text(target['kind']) ?? '',
    name: text(target['name']) ?? '',
    namespace: text(target['namespace']) || undefined,
  }
}
