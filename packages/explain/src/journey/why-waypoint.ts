import { LABELS } from '@ambit/api'
import { waypointOf, waypointWish } from '@ambit/controller/judgement'
import type { Service, Workload } from '@ambit/state'
import type { CompiledMesh } from '../compile/compile-mesh.ts'

const UNUSED = (): void => undefined

/** Which label of which object leads through a waypoint. */
export function whyWaypoint(
  compiled: CompiledMesh,
  { service, workload }: { readonly service: Service | undefined; readonly workload: Workload | undefined },
): string {
  const { state } = compiled.judgement
  const place = service?.namespace ?? workload?.namespace ?? ''
  const object =
    service === undefined
      ? workload && state.pods.get(place, workload.name)
      : (state.services.get(place, service.name) ?? state.serviceEntries.get(place, service.name))
  if (object === undefined) return 'what was addressed has a waypoint'
  const what = service === undefined ? `pod ${place}/${object.name}` : `service ${place}/${object.name}`
  const wish = waypointWish(object.labels, place, state.namespaces.get(place)?.labels ?? {})
  if (wish.kind === 'named')
    return wish.inherited
      ? `namespace ${place} is labelled ${LABELS.useWaypoint}=${wish.name}`
      : `${what} is labelled ${LABELS.useWaypoint}=${wish.name}`
  const answer = waypointOf(state, object, service === undefined ? 'workload' : 'service', UNUSED)
  return answer === undefined
    ? `${what} has a waypoint`
    : `the service account of ${what} has the waypoint ${answer.waypoint}`
}
