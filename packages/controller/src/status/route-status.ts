import { isDeepStrictEqual } from 'node:util'
import { KINDS, type KubeObject, type StatusWriter } from '@ambit/kube'
import type { RouteParentStatus } from '../index/route-status.ts'
import { isRecord, type Json, list, record, text } from '../watch/json.ts'
import { conditionToWrite } from './condition.ts'

/** In the name of which a route's status speaks, and as whom it is written (Istio). */
const CONTROLLER = 'istio.io/gateway-controller'
const FIELD_MANAGER = 'istio.io/gateway-controller'
/** Gateway API's limit for a message of a condition, characters. */
const MAX_MESSAGE = 32_768

const ROUTE_KINDS = { httpRoute: KINDS.httpRoute, grpcRoute: KINDS.grpcRoute } as const

/**
 * The route's parents as they are to be written, those of other controllers as they are: the list is one field for the
 * API server. Undefined when the object says so already.
 */
export function parentsToWrite(
  route: KubeObject,
  ours: readonly RouteParentStatus[],
  nowMs: number,
): readonly Json[] | undefined {
  const present = list(record((route as { readonly status?: unknown }).status)['parents']).filter(isRecord)
  const generation = route.metadata.generation
  const written = ours.map(({ parent, conditions }): Json => {
    const before = present.find((entry) => isOurs(entry) && isDeepStrictEqual(entry['parentRef'], parent.written))
    return {
      parentRef: parent.written,
      controllerName: CONTROLLER,
      conditions: conditions.map((condition) =>
        conditionToWrite(
          { ...condition, message: condition.message.slice(0, MAX_MESSAGE) },
          { status: { conditions: before?.['conditions'] } },
          { nowMs, generation },
        ),
      ),
    }
  })
  const wanted = [...present.filter((entry) => !isOurs(entry)), ...written]
  return isDeepStrictEqual(wanted, present) ? undefined : wanted
}

export function writeRouteStatus(
  parts: { readonly writer: StatusWriter; readonly nowMs: number; readonly covered: boolean },
  kind: 'httpRoute' | 'grpcRoute',
  at: { readonly namespace: string; readonly name: string },
  route: KubeObject | undefined,
  ours: readonly RouteParentStatus[],
): void {
  const write = { kind: ROUTE_KINDS[kind], ...at, fieldManager: FIELD_MANAGER }
  if (route === undefined || !parts.covered) {
    parts.writer.forget(write)
    return
  }
  const parents = parentsToWrite(route, ours, parts.nowMs)
  if (parents !== undefined) parts.writer.write({ ...write, uid: route.metadata.uid, status: { parents } })
}

/** Parents in the mesh and Gateways; of other kinds who else goes by the name speaks. */
function isOurs(entry: Json): boolean {
  if (entry['controllerName'] !== CONTROLLER) return false
  const kind = text(record(entry['parentRef'])['kind']) ?? 'Gateway'
  return kind === 'Service' || kind === 'ServiceEntry' || kind === 'Gateway'
}
