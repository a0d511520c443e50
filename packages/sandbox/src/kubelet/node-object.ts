import type { KubeObject } from '../apiserver/contract.types.ts'
import { LIMITS } from '../limits.ts'
import type { NodeAddresses } from '../net/addresses.ts'

export const KUBELET_VERSION = 'v1.33.0-ambit'

export interface NodeMachine {
  readonly cpus: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly arch: string
}

/** The Node object a kubelet registers. */
export function nodeObject(node: NodeAddresses, machine: NodeMachine, ipv6: boolean): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: node.name,
      labels: {
        'kubernetes.io/hostname': node.name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': machine.arch,
        'beta.kubernetes.io/os': 'linux',
        'beta.kubernetes.io/arch': machine.arch,
        'topology.kubernetes.io/region': 'sandbox',
        'topology.kubernetes.io/zone': `zone-${node.index}`,
      },
    },
    spec: {
      podCIDR: node.podCidr,
      podCIDRs: ipv6 ? [node.podCidr, node.podCidrV6] : [node.podCidr],
      providerID: `ambit://${node.name}`,
    },
  }
}

export function nodeStatus(
  node: NodeAddresses,
  machine: NodeMachine,
  ipv6: boolean,
  nowIso: string,
): Record<string, unknown> {
  const resources = {
    cpu: String(machine.cpus),
    memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`,
    pods: String(LIMITS.maxPodsPerNode),
    'ephemeral-storage': '100Gi',
  }
  const condition = (type: string, status: string, reason: string, message: string): Record<string, string> => {
    return { type, status, reason, message, lastHeartbeatTime: nowIso, lastTransitionTime: nowIso }
  }
  return {
    capacity: resources,
    allocatable: resources,
    addresses: [
      { type: 'InternalIP', address: node.ip },
      ...(ipv6 ? [{ type: 'InternalIP', address: node.ipV6 }] : []),
      { type: 'Hostname', address: node.name },
    ],
    conditions: [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
      condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: {
      machineID: node.name,
      systemUUID: node.name,
      bootID: node.name,
      kernelVersion: machine.kernel,
      osImage: 'Ambit sandbox (processes instead of images)',
      containerRuntimeVersion: 'ambit://0.1.0',
      kubeletVersion: KUBELET_VERSION,
      kubeProxyVersion: KUBELET_VERSION,
      operatingSystem: 'linux',
      architecture: machine.arch,
    },
  }
}
