import { isAccountWaypoint } from '../compile/account-waypoint.ts'
import { labelsMatch } from '../compile/labels-match.ts'
import type { DestinationRule } from '../destination-rule.types.ts'
import type { Gateway, Pod, WorkloadEntry } from '../domain.types.ts'
import type { MeshRoute } from '../route.types.ts'
import type { VirtualService } from '../virtual-service.types.ts'
import {
  accountsKey,
  credentialKey,
  gatewayKey,
  gatewaysOfClassKey,
  grantsKey,
  hostKey,
  ROUTERS_KEY,
  ruleHostKey,
  servingKey,
  targetKey,
  virtualGatewayKey,
  virtualHostKey,
  virtualNameKey,
} from './keys.ts'
import { attachedKeysOf, hostsOf, parentKeysOf } from './links.ts'
import type { InputKind, Inputs, MeshState } from './mesh-state.ts'
import { routesAlike } from './rules-of-router.ts'

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
      return [
        ...(kind === 'services' ? [servingKey(namespace)] : []),
        targetKey(kind, namespace, name),
        ...versions.flatMap((version) => hostsOf(version).map(hostKey)),
      ]
    case 'gateways': {
      const gateways = versions as unknown as Gateway[]
      return [
        gatewayKey(namespace, name),
        servingKey(namespace),
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
    case 'virtualServices':
      return (versions as unknown as VirtualService[]).flatMap(({ hosts, gateways }) => [
        ...hosts.map(virtualHostKey),
        ...gateways.map(virtualGatewayKey),
        virtualNameKey(`${namespace}/${name}`),
      ])
    case 'destinationRules':
      return (versions as unknown as DestinationRule[]).map(({ host }) => ruleHostKey(host))
    case 'grants':
      return [grantsKey(namespace)]
    case 'credentials':
      return [credentialKey(namespace, name)]
    case 'pods': {
      const pods = versions as unknown as Pod[]
      const routers = pods.some(({ isRouter }) => isRouter) && !routesAlike(before as Pod, after as Pod)
      return [...accountKeys(state, namespace, before as Pod, after as Pod), ...(routers ? [ROUTERS_KEY] : [])]
    }
    case 'workloadEntries':
      return accountKeys(state, namespace, before as Runs | undefined, after as Runs | undefined)
    default:
      return []
  }
}

type Runs = Pod | WorkloadEntry

function accountKeys(
  state: MeshState,
  namespace: string,
  before: Runs | undefined,
  after: Runs | undefined,
): readonly string[] {
  return state.links.accountWaypoints.get(namespace).size > 0 && runsOtherwise(before, after)
    ? [accountsKey(namespace)]
    : []
}

/** Whether a service that selects the workload may find another account there. */
function runsOtherwise(before: Runs | undefined, after: Runs | undefined): boolean {
  if (before === undefined || after === undefined) return true
  if (!labelsMatch(before.labels, after.labels) || !labelsMatch(after.labels, before.labels)) return true
  return accountOf(before) !== accountOf(after)
}

function accountOf(object: Runs): string {
  return 'workload' in object ? object.workload.serviceAccount : object.serviceAccount
}
