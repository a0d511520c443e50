import type { Cluster } from './cluster.ts'
import type { CommandResult } from './command.ts'

/** Runs a program in a pod; any exit code is a result. */
export function inPod(cluster: Cluster, pod: string, ...command: readonly string[]): Promise<CommandResult> {
  const [namespace = '', name = ''] = pod.split('/')
  return cluster.kubectl('exec', '-n', namespace, name, '--', ...command)
}

/** curl in a pod, written `namespace/name`: quiet, but with its errors, and at most five seconds. */
export function curlFrom(cluster: Cluster, pod: string, ...args: readonly string[]): Promise<CommandResult> {
  return inPod(cluster, pod, 'curl', '-sS', '--max-time', '5', ...args)
}

/** Waits until every pod of the namespaces is ready. */
export async function ready(cluster: Cluster, ...namespaces: readonly string[]): Promise<void> {
  for (const namespace of namespaces)
    await cluster.must('wait', 'pod', '-n', namespace, '--all', '--for=condition=Ready', '--timeout=60s')
}

/** Waits until every pod of the namespaces is captured by the mesh. */
export async function enrolled(cluster: Cluster, ...namespaces: readonly string[]): Promise<void> {
  const annotated = 'jsonpath={.metadata.annotations.ambient\\.istio\\.io/redirection}=enabled'
  for (const namespace of namespaces)
    await cluster.must('wait', 'pod', '-n', namespace, '--all', `--for=${annotated}`, '--timeout=30s')
}

/** The pod's addresses, IPv4 first. */
export async function podIps(cluster: Cluster, pod: string): Promise<string[]> {
  const [namespace = '', name = ''] = pod.split('/')
  const ips = await cluster.must('get', 'pod', '-n', namespace, name, '-o', 'jsonpath={.status.podIPs[*].ip}')
  return ips.split(' ')
}

/** What both ztunnels have logged. */
export function ztunnelLog(cluster: Cluster): Promise<string> {
  return cluster.must('logs', '-n', 'istio-system', '-l', 'app=ztunnel', '--tail=1000')
}
