import type { ClusterObject } from '../cluster/cluster.types.ts'
import { SelectionError } from '../errors.ts'
import { asObject, asText } from '../json.ts'

/** Is this a ztunnel? By its `app` label; without one, by its name (as istioctl decides). */
export function isZtunnelPod(pod: ClusterObject): boolean {
  const app = pod.metadata.labels?.['app']
  return app === undefined ? pod.metadata.name.startsWith('ztunnel') : app === 'ztunnel'
}

export interface PodChoice {
  /** `pod`, `pod.namespace` or `ds/ztunnel`. */
  readonly pod?: string | undefined
  readonly node?: string | undefined
}

/** The ztunnel pod to ask: the named one, the one of a node, else the first running one. */
export function selectZtunnel(pods: readonly ClusterObject[], choice: PodChoice): ClusterObject {
  const candidates = pods.filter(isZtunnelPod).toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  const named = podNameOf(choice.pod)
  const found = candidates
    .filter((pod) => named === undefined || named === pod.metadata.name || named === qualifiedName(pod))
    .filter((pod) => choice.node === undefined || nodeOf(pod) === choice.node)
  const running = found.find((pod) => asText(asObject(pod['status'])['phase']) === 'Running')
  const chosen = running ?? found[0]
  if (chosen !== undefined) return chosen
  const wanted =
    named !== undefined
      ? `ztunnel pod "${named}"`
      : choice.node !== undefined
        ? `ztunnel on node "${choice.node}"`
        : 'ztunnel pod'
  const known = candidates.map((pod) => `${pod.metadata.name} (${nodeOf(pod)})`).join(', ')
  throw new SelectionError(`no ${wanted} found; ${known === '' ? 'is the mesh installed?' : `there are: ${known}`}`)
}

/** The pod a typed resource means: `pod/NAME` that one, `ds/ztunnel` any of them. */
function podNameOf(text: string | undefined): string | undefined {
  const [, type, name = ''] = /^([^/]*)\/(.*)$/.exec(text ?? '') ?? []
  if (type === undefined) return text
  if (/^(po|pods?)$/.test(type)) return name
  if (/^(ds|daemonsets?(\.apps)?)$/.test(type) && /^ztunnel(\.|$)/.test(name)) return undefined
  throw new SelectionError(`"${text}" is no ztunnel; say a pod’s name, pod/NAME or ds/ztunnel`)
}

function nodeOf(pod: ClusterObject): string {
  return asText(asObject(pod['spec'])['nodeName'])
}

function qualifiedName(pod: ClusterObject): string {
  return `${pod.metadata.name}.${pod.metadata.namespace ?? ''}`
}
