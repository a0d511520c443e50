import type { Gateway, Pod } from '../domain.types.ts'
import { servingKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { targetPortsOf } from './router-ports.ts'
import { isOurIngress } from './routers.ts'
import type { Uses } from './uses.types.ts'

/** A Gateway, and where its pods take connections to a port of it. */
export interface ServedGateway {
  readonly gateway: Gateway
  readonly portsOf: (port: number) => readonly number[]
}

/** The Gateways the pods serve, oldest first: the one they were made for, and those that name a Service of theirs. */
export function gatewaysOfRouter(
  state: MeshState,
  { namespace, name, pods }: { readonly namespace: string; readonly name: string; readonly pods: readonly Pod[] },
  uses: Uses,
): readonly ServedGateway[] {
  uses(servingKey(namespace))
  const found: ServedGateway[] = []
  const ingresses = [...state.gateways.in(namespace)].filter((gateway) => isOurIngress(state, gateway, uses))
  for (const gateway of ingresses.toSorted((a, b) => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1))) {
    if (gateway.servedBy.length === 0) {
      if (gateway.name === name) found.push({ gateway, portsOf: (port) => [port] })
      continue
    }
    const services = gateway.servedBy.flatMap((host) => {
      const [service = '', place = namespace] = host.split('.')
      return place === namespace ? (state.services.get(namespace, service) ?? []) : []
    })
    const portsOf = (port: number): readonly number[] => targetPortsOf(services, pods, port)
    if (gateway.listeners.some(({ port }) => portsOf(port).length > 0)) found.push({ gateway, portsOf })
  }
  return found
}
