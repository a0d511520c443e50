import type { Cluster } from './cluster.ts'
import { inPod } from './mesh.ts'

export const NODES = ['ambit-1', 'ambit-2'] as const

/** A pod in namespace `tools` that may look into every network namespace of its node, and at its files. */
export function inspector(node: string): string {
  return `
apiVersion: v1
kind: Pod
metadata: {name: look-${node}, namespace: tools}
spec:
  hostNetwork: true
  hostPID: true
  terminationGracePeriodSeconds: 0
  nodeSelector: {kubernetes.io/hostname: ${node}}
  containers:
    - name: main
      image: busybox
      command: [sleep, infinity]
      securityContext: {privileged: true}
      volumeMounts: [{name: root, mountPath: /host, mountPropagation: HostToContainer}]
  volumes: [{name: root, hostPath: {path: /}}]
---`
}

const look = (namespaces: string): string => `
for n in /host/run/netns/${namespaces}; do
  echo "namespace $n"
  nsenter --net="$n" sh -c 'nft list ruleset; ip rule; ip -6 rule; ip route show table 100; ip -6 route show table 100; true' 2>&1
done
`

/**
 * Lines about redirection, rules and policy routes, in the network namespaces of nodes: all of them, or only those of
 * pods (`cni-*`). Needs an {@link inspector} on each node.
 */
export async function redirectionOn(cluster: Cluster, nodes: readonly string[], namespaces = '*'): Promise<string[]> {
  const found: string[] = []
  for (const node of nodes) {
    const { code, stderr, stdout } = await inPod(cluster, `tools/look-${node}`, 'sh', '-c', look(namespaces))
    if (code !== 0 || !stdout.includes('namespace /host/run/netns/'))
      throw new Error(`${node} could not be inspected: ${stderr}${stdout}`)
    found.push(...stdout.split('\n').filter((line) => /istio|0x111|1500[168]|local default|Operation/.test(line)))
  }
  return found
}
