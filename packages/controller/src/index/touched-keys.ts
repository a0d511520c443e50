import { isAccountWaypoint } from '../compile/account-waypoint.ts'
import { labelsMatch } from '../compile/labels-match.ts'
import type { Gateway, Pod, WorkloadEntry } from '../domain.types.ts'
import type { MeshRoute } from '../route.types.ts'
import { accountsKey, gatewayKey, gatewaysOfClassKey, grantsKey, hostKey, targetKey } from './keys.ts'
import { attachedKeysOf, hostsOf, parentKeysOf } from './links.ts'
import type { InputKind, Inputs, MeshState } from './mesh-state.ts'

/** The keys whose users may come out differently after one object changed; called when state is updated. */
export function touchedKeys<K extends InputKind>(
  state: MeshState,
  kind: K,
  change: {
    readonly namespace: string
    readonly name: string
    readonly before?: Inputs[K] | undefined
    readonly after?: Inputs[K] | undefined
  },
): readonly string[] {
  const { namespace, name, before, after } = change
  const versions = [before, after].filter((value) => value !== undefined)
  switch (kind) {
    case 'services':
    case 'serviceEntries':
      return [targetKey(kind, namespace, name), ...versions.flatMap((version) => hostsOf(version).map(hostKey))]
    case 'gateways': {
      const gateways = versions as unknown as Gateway[]
      return [
        gatewayKey(namespace, name),
        ...gateways.map(({ className }) => gatewaysOfClassKey(className)),
        ...(gateways.some(isAccountWaypoint) ? [accountsKey(namespace)] : []),
      ]
    }
    case 'httpRoutes':
    case 'grpcRoutes':
      return (versions as unknown as MeshRoute[]).flatMap(parentKeysOf)
    case 'policies':
    case 'requestAuthentications':
      return (versions as unknown as Parameters<typeof attachedKeysOf>[0][]).flatMap(attachedKeysOf)
    case 'grants':
      return [grantsKey(namespace)]
    case 'pods':
    case 'workloadEntries':
      return state.links.accountWaypoints.get(namespace).size > 0 &&
        runsOtherwise(before as Runs | undefined, after as Runs | undefined)
        ? [accountsKey(namespace)]
        : []
    default:
      return []
  }
}

type Runs = Pod | WorkloadEntry

/** Whether a service that selects the workload may find another account there. */
function runsOtherwise(before: Runs | undefined, after: Runs | undefined): boolean {
  if (before === undefined || after === undefined) return true
  if (!labelsMatch(before.labels, after.labels) || !labelsMatch(after.labels, before.labels)) return true
  return accountOf(before) !== accountOf(after)
}

function accountOf(object: Runs): string {
  return 'workload' in object ? object.workload.serviceAccount : object.serviceAccount
}
