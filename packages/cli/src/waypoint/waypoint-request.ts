import { WaypointError } from '../errors.ts'
import type { Flags } from '../grammar/command.types.ts'

/** What traffic a waypoint may be for, in the order istioctl lists it. */
const TRAFFIC_TYPES = ['all', 'none', 'service', 'workload'] as const
const DEFAULT_NAME = 'waypoint'
/** Name of the waypoint of a whole namespace in Istio 1.18. */
const NAMESPACE_NAME = 'namespace'
/** As value of `istio.io/use-waypoint` it says that there is none. */
const RESERVED_NAME = 'none'

/** The waypoint a command line speaks of. */
export interface WaypointRequest {
  readonly name: string
  readonly trafficType: string | undefined
  readonly revision: string | undefined
  /** Present in the form of Istio 1.18, which chooses waypoints by service account; empty for the namespace's. */
  readonly serviceAccount: string | undefined
}

/** Reads the flags of `waypoint apply` and `waypoint generate`. */
export function waypointRequest(flags: Flags): WaypointRequest {
  const revision = flags.text('revision') || undefined
  const serviceAccount = flags.text('service-account')
  if (serviceAccount !== undefined) {
    return { name: serviceAccount || NAMESPACE_NAME, trafficType: undefined, revision, serviceAccount }
  }
  const name = flags.text('name') || DEFAULT_NAME
  if (name === RESERVED_NAME) {
    throw new WaypointError("failed to create gateway: invalid name provided for waypoint, 'none' is a reserved value")
  }
  const trafficType = flags.text('for') || undefined
  if (trafficType !== undefined && !TRAFFIC_TYPES.some((known) => known === trafficType)) {
    throw new WaypointError(
      `failed to create gateway: invalid traffic type: ${trafficType}. Valid options are: [${TRAFFIC_TYPES.join(' ')}]`,
    )
  }
  return { name, trafficType, revision, serviceAccount: undefined }
}

/** Flags that the form of Istio 1.18 does not have, with --service-account beside them; undefined when there are none. */
export function conflictWithServiceAccount(flags: Flags): string | undefined {
  if (flags.text('service-account') === undefined) return undefined
  const wrong = ['name', 'for', 'enroll-namespace', 'overwrite'].filter((name) => flags.text(name) !== undefined)
  if (wrong.length === 0) return undefined
  return `--service-account chooses the waypoint's name and traffic itself; it does not go with ${wrong.map((name) => `--${name}`).join(', ')}`
}
