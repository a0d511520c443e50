import type { Container, Pod, ResourceFieldRef } from '../objects/pod.types.ts'
import { parseQuantity } from '../objects/quantity.ts'

export interface PodFacts {
  readonly podIps: readonly string[]
  readonly hostIp: string
}

/** Value of a downward API field path; undefined when the pod has none or the path isn't known. */
export function resolveFieldRef(pod: Pod, path: string, facts: PodFacts): string | undefined {
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path)
  if (keyed !== null) {
    const source = keyed[1] === 'labels' ? pod.metadata.labels : pod.metadata.annotations
    return source?.[keyed[2] ?? ''] ?? ''
  }
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name
    case 'metadata.namespace':
      return pod.metadata.namespace
    case 'metadata.uid':
      return pod.metadata.uid
    case 'metadata.labels':
      return quotedLines(pod.metadata.labels)
    case 'metadata.annotations':
      return quotedLines(pod.metadata.annotations)
    case 'spec.nodeName':
      return pod.spec.nodeName
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? 'default'
    case 'status.hostIP':
    case 'status.hostIPs':
      return facts.hostIp
    case 'status.podIP':
      return facts.podIps[0] ?? ''
    case 'status.podIPs':
      return facts.podIps.join(',')
    default:
      return undefined
  }
}

/** `key="value"` lines, as downward API files hold maps. */
function quotedLines(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n')
}

/** Value of a resource field, rounded up to the divisor; what the node has when there is no limit. */
export function resolveResourceRef(
  ref: ResourceFieldRef,
  container: Container,
  node: { readonly cpus: number; readonly memoryBytes: number },
): string | undefined {
  const [kind, resource] = ref.resource.split('.')
  if (resource === undefined || (kind !== 'limits' && kind !== 'requests')) return undefined
  const capacity = resource === 'cpu' ? node.cpus : resource === 'memory' ? node.memoryBytes : 0
  const declared = container.resources?.[kind]?.[resource]
  const value = declared === undefined ? (kind === 'limits' ? capacity : 0) : parseQuantity(declared)
  const divisor = parseQuantity(ref.divisor ?? 1) ?? 1
  if (value === undefined) return undefined
  return String(Math.ceil(value / (divisor === 0 ? 1 : divisor)))
}
