import { LABELS } from '@ambit/api'
import { accountOf } from '../compile/account-waypoint.ts'
import { labelsMatch } from '../compile/labels-match.ts'
import { addressOf } from '../compile/waypoint.ts'
import type { Gateway, WorkloadSpec } from '../domain.types.ts'
import type { StringMap } from '../watch/json.ts'
import { gatewayKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { isOurWaypoint } from './our-waypoints.ts'
import type { Uses } from './uses.types.ts'

/** What can have a waypoint: of a workload its account counts, of a service the accounts of the workloads it selects. */
export interface Bindable {
  readonly namespace: string
  readonly labels: StringMap
  readonly serviceAccount?: string
  readonly workload?: Pick<WorkloadSpec, 'serviceAccount'>
  readonly selector?: StringMap
  readonly workloadSelector?: StringMap | undefined
}

export type AccountWaypoint =
  | { readonly kind: 'none' }
  | { readonly kind: 'one'; readonly gateway: Gateway }
  /** Workloads of one service have different ones: no proxy could go through each. */
  | { readonly kind: 'several'; readonly names: readonly string[] }

const NONE: AccountWaypoint = { kind: 'none' }

/** The waypoint that service accounts lead to (Istio until 1.21). */
export function accountWaypoint(
  state: MeshState,
  object: Bindable,
  trafficType: 'service' | 'workload',
  uses: Uses,
): AccountWaypoint {
  const { namespace } = object
  const gateways = [...state.links.accountWaypoints.get(namespace)].sort().flatMap((name) => {
    const gateway = state.gateways.get(namespace, name)
    return gateway !== undefined && isOurWaypoint(state, gateway, uses) ? [gateway] : []
  })
  if (gateways.length === 0 || object.labels[LABELS.gatewayManaged] !== undefined) return NONE
  for (const { name } of gateways) uses(gatewayKey(namespace, name))
  const accounts = trafficType === 'workload' ? [accountOfWorkload(object)] : accountsOfService(state, object)
  const found = new Map<string, Gateway>()
  for (const account of accounts) {
    const gateway = gatewayOfAccount(gateways, account)
    if (gateway !== undefined) found.set(gateway.name, gateway)
  }
  const [first, second] = found.values()
  if (first === undefined) return NONE
  return second === undefined ? { kind: 'one', gateway: first } : { kind: 'several', names: [...found.keys()].sort() }
}

/** The account's own waypoint or, while that is not ready, the namespace's. */
function gatewayOfAccount(gateways: readonly Gateway[], account: string): Gateway | undefined {
  const own = gateways.filter((gateway) => accountOf(gateway) === account)
  const candidates = [...own, ...gateways.filter((gateway) => accountOf(gateway) === undefined)]
  return candidates.find((gateway) => addressOf(gateway, '') !== undefined) ?? candidates[0]
}

function accountOfWorkload({ serviceAccount, workload }: Bindable): string {
  return serviceAccount || workload?.serviceAccount || 'default'
}

function accountsOfService(state: MeshState, { namespace, selector, workloadSelector }: Bindable): ReadonlySet<string> {
  const labels = workloadSelector ?? selector ?? {}
  const accounts = new Set<string>()
  if (Object.keys(labels).length === 0) return accounts
  for (const pod of state.pods.in(namespace)) if (labelsMatch(labels, pod.labels)) accounts.add(accountOfWorkload(pod))
  for (const entry of state.workloadEntries.in(namespace))
    if (labelsMatch(labels, entry.labels)) accounts.add(accountOfWorkload(entry))
  return accounts
}
