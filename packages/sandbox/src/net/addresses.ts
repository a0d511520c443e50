import { type Ip, ip } from '@ambit/core'

/** One sandbox's address plan. It lives in namespaces of its own, so every sandbox uses the same one. */
export const NETWORK = {
  serviceCidr: '10.96.0.0/16',
  serviceCidrV6: 'fd00:10:96::/112',
  podCidr: '10.244.0.0/16',
  podCidrV6: 'fd00:10:244::/48',
  apiServiceIp: '10.96.0.1',
  apiServicePort: 443,
  dnsServiceIp: '10.96.0.10',
  dnsPort: 53,
  /** Where the name server listens: besides the root's own address, so that policies can tell it from all else there. */
  dnsIp: '172.18.255.53',
  /** The sandbox's root namespace on the switch between the nodes: API server and DNS listen here. */
  rootIp: '172.18.0.1',
  rootIpV6: 'fd00:172:18::1',
  nodeNetworkLength: 16,
  nodeNetworkLengthV6: 64,
  apiPort: 6443,
  clusterDomain: 'cluster.local',
} as const

export interface NodeAddresses {
  readonly name: string
  /** 1 for the first node. */
  readonly index: number
  readonly ip: Ip
  readonly ipV6: Ip
  readonly podCidr: string
  readonly podCidrV6: string
  /** What pods of the node use as their gateway. */
  readonly gateway: Ip
  readonly gatewayV6: Ip
}

export function nodeAddresses(index: number): NodeAddresses {
  const hex = index.toString(16)
  return {
    name: `ambit-${index}`,
    index,
    ip: ip(`172.18.0.${index + 1}`),
    ipV6: ip(`fd00:172:18::${(index + 1).toString(16)}`),
    podCidr: `10.244.${index}.0/24`,
    podCidrV6: `fd00:10:244:${hex}::/64`,
    gateway: ip(`10.244.${index}.1`),
    gatewayV6: ip(`fd00:10:244:${hex}::1`),
  }
}

export interface PodAddresses {
  readonly ip: Ip
  readonly ipV6: Ip
}

/** The addresses of a node's pod number `host` (2..254). */
export function podAddresses(node: NodeAddresses, host: number): PodAddresses {
  return {
    ip: ip(`10.244.${node.index}.${host}`),
    ipV6: ip(`fd00:10:244:${node.index.toString(16)}::${host.toString(16)}`),
  }
}
