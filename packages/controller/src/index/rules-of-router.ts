import type { DestinationRules } from '../compile/destination.ts'
import { labelsMatch } from '../compile/labels-match.ts'
import type { AuthorizationPolicy, Pod, RequestAuthentication, TargetRef } from '../domain.types.ts'
import type { StringMap } from '../watch/json.ts'
import type { Collection } from './collection.ts'
import { ROUTERS_KEY } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { gatewaysOfRouter } from './router-gateways.ts'
import { podsOfRouter, routerNameOf } from './routers.ts'
import type { Uses } from './uses.types.ts'

export interface Router {
  readonly namespace: string
  readonly pods: readonly Pod[]
  /** Names of the Gateways it serves. */
  readonly gateways: readonly string[]
}

const GATEWAY_GROUP = 'gateway.networking.k8s.io'

type RouterPolicy = Pick<AuthorizationPolicy | RequestAuthentication, 'namespace' | 'name' | 'selector' | 'targetRefs'>

/** What is in force at a gateway: of its namespace and of the root, by selector, for all, or attached to its Gateway. */
export function rulesOfRouter(state: MeshState, router: Router): DestinationRules {
  const inForce = <T extends RouterPolicy>(policies: Collection<T>): readonly T[] =>
    [...new Set([router.namespace, state.mesh.rootNamespace])].flatMap((place) =>
      [...policies.in(place)].filter((policy) => isInForceAt(policy, router)),
    )
  return {
    policies: inForce(state.policies)
      .map(({ namespace, name }) => `${namespace}/${name}`)
      .sort(),
    authenticatesRequests: inForce(state.requestAuthentications).length > 0,
  }
}

function isInForceAt({ namespace, selector, targetRefs }: RouterPolicy, router: Router): boolean {
  if (targetRefs.length > 0) return targetRefs.some((ref) => isTarget(ref, namespace, router))
  if (selector === undefined) return true
  // Pods of one gateway that differ in labels still do the same: what restricts one restricts all.
  return router.pods.some(({ labels }) => labelsMatch(selector, labels))
}

function isTarget(ref: TargetRef, policyNamespace: string, { namespace, gateways }: Router): boolean {
  if (ref.group !== GATEWAY_GROUP || ref.kind !== 'Gateway' || ref.bySelector === true) return false
  return policyNamespace === namespace && (ref.namespace ?? namespace) === namespace && gateways.includes(ref.name)
}

/** The gateways at which a policy is in force, `namespace/name`, sorted. */
export function routersOfPolicy(state: MeshState, policy: RouterPolicy, uses: Uses): readonly string[] {
  uses(ROUTERS_KEY)
  return [...state.links.routerPods.keys()]
    .filter((key) => {
      const slash = key.indexOf('/')
      const namespace = key.slice(0, slash)
      if (policy.namespace !== namespace && policy.namespace !== state.mesh.rootNamespace) return false
      const name = key.slice(slash + 1)
      const pods = podsOfRouter(state, namespace, name)
      const gateways =
        policy.targetRefs.length === 0
          ? []
          : gatewaysOfRouter(state, { namespace, name, pods }, uses).map(({ gateway }) => gateway.name)
      return isInForceAt(policy, { namespace, pods, gateways })
    })
    .sort()
}

/** Whether two versions of a pod count alike for what its gateway does. */
export function routesAlike(before: Pod | undefined, after: Pod | undefined): boolean {
  if (before === undefined || after === undefined) return before === after
  if (before.isRouter !== after.isRouter || routerNameOf(before) !== routerNameOf(after)) return false
  return sameLabels(before.labels, after.labels)
}

function sameLabels(a: StringMap, b: StringMap): boolean {
  return labelsMatch(a, b) && labelsMatch(b, a)
}
