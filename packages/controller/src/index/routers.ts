import { LABELS } from '@ambit/api'
import type { Gateway, Pod } from '../domain.types.ts'
import { classKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { type Unit, unit } from './units.ts'
import type { Uses } from './uses.types.ts'

const INGRESS_CONTROLLER = 'istio.io/gateway-controller'
/** Its class, also as long as the class itself is not there. */
const INGRESS_CLASS = 'istio'
/** How pods of gateways older than Istio 1.22 name their Gateway. */
const OLD_GATEWAY_NAME = 'istio.io/gateway-name'

/** What pods that are gateways together go by: their Gateway of Gateway API, else what they were deployed as. */
export function routerNameOf({ labels, workloadName }: Pick<Pod, 'labels' | 'workloadName'>): string {
  return labels[LABELS.gatewayName] || labels[OLD_GATEWAY_NAME] || workloadName
}

/** Whether the Gateway is one whose routes a gateway is told of. */
export function isOurIngress(state: MeshState, gateway: Gateway, uses: Uses): boolean {
  uses(classKey(gateway.className))
  const found = state.gatewayClasses.get(gateway.className)
  return found === undefined ? gateway.className === INGRESS_CLASS : found.controllerName === INGRESS_CONTROLLER
}

/** The pods of one gateway, oldest first. */
export function podsOfRouter(state: MeshState, namespace: string, name: string): readonly Pod[] {
  return [...state.links.routerPods.get(`${namespace}/${name}`)]
    .flatMap((pod) => state.pods.get(namespace, pod) ?? [])
    .sort((a, b) => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1))
}

/** All gateways there are pods of, or those of a namespace. */
export function* routerUnits(state: MeshState, namespace?: string): Iterable<Unit> {
  for (const key of state.links.routerPods.keys()) {
    const slash = key.indexOf('/')
    const at = key.slice(0, slash)
    if (namespace === undefined || at === namespace) yield unit('router', at, key.slice(slash + 1))
  }
}
