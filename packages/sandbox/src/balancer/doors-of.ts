import type { NodeAddresses } from '../net/addresses.ts'
import type { Service } from '../objects/cluster.types.ts'
import type { Protocol, ServingPort } from '../proxy/frontends.ts'

/** One port of the machine that is to lead to a service. */
export interface DoorSpec {
  readonly protocol: Protocol
  readonly port: number
}

export interface Backend {
  readonly ip: string
  readonly port: number
}

/** The loopback address on which node ports of all nodes are to be had. */
export const NODE_PORT_ADDRESS = '127.0.0.1'

/** Node ports of the service that are to be open on the machine. */
export function nodePortDoors({ spec }: Service): readonly DoorSpec[] {
  if (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') return []
  return (spec.ports ?? []).flatMap(({ nodePort, protocol }) =>
    nodePort === undefined ? [] : [{ protocol: protocolOf(protocol), port: nodePort }],
  )
}

/** Ports of the load balancer; none for services of another type, or of a class that somebody else serves. */
export function balancerDoors({ spec }: Service): readonly DoorSpec[] {
  if (!isBalanced(spec)) return []
  return (spec.ports ?? []).map(({ port, protocol }) => ({ protocol: protocolOf(protocol), port }))
}

export function isBalanced(spec: Service['spec']): boolean {
  return spec.type === 'LoadBalancer' && spec.loadBalancerClass === undefined
}

function protocolOf(protocol: string | undefined): Protocol {
  return protocol === 'UDP' ? 'udp' : 'tcp'
}

/** Where a connection from outside may go: to the node port of a node, else straight to an endpoint. */
export function backendsOf(serving: ServingPort, nodes: readonly NodeAddresses[]): readonly Backend[] {
  const { nodePort, targets } = serving
  if (nodePort === undefined) return targets
  const near = new Set(targets.map(({ node }) => node))
  return nodes
    .filter(({ name }) => targets.length > 0 && (!serving.externalLocal || near.has(name)))
    .map((node) => ({ ip: serving.six ? node.ipV6 : node.ip, port: nodePort }))
}
