import type { Node } from '../objects/cluster.types.ts'
import type { Pod } from '../objects/pod.types.ts'
import { type Amounts, amountsOf, burdenOf, requestsOf } from './requests.ts'

/** A node with what its pods take of it. */
export class NodeInfo {
  node: Node | undefined
  allocatable: Amounts = new Map()
  readonly pods: Map<string, Pod> = new Map()
  readonly requested: Map<string, number> = new Map()
  readonly burden: Map<string, number> = new Map()
  readonly ports: Map<string, number> = new Map()
  readonly owners: Map<string, number> = new Map()
  /** Pods that keep others away. */
  readonly repellent: Map<string, Pod> = new Map()

  setNode(node: Node | undefined): void {
    this.node = node
    this.allocatable = amountsOf(node?.status?.allocatable)
  }

  add(pod: Pod): void {
    this.pods.set(pod.metadata.uid ?? '', pod)
    if ((pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.length ?? 0) > 0)
      this.repellent.set(pod.metadata.uid ?? '', pod)
    this.#count(pod, 1)
  }

  remove(uid: string): void {
    const pod = this.pods.get(uid)
    if (pod === undefined) return
    this.pods.delete(uid)
    this.repellent.delete(uid)
    this.#count(pod, -1)
  }

  /** The node as it would be without some pods and with some others. */
  changed(o: { readonly without?: Iterable<Pod>; readonly plus?: Iterable<Pod> }): NodeInfo {
    const copy = new NodeInfo()
    copy.setNode(this.node)
    const gone = new Set([...(o.without ?? [])].map(({ metadata }) => metadata.uid))
    for (const pod of this.pods.values()) if (!gone.has(pod.metadata.uid)) copy.add(pod)
    for (const pod of o.plus ?? []) copy.add(pod)
    return copy
  }

  #count(pod: Pod, sign: 1 | -1): void {
    const change = (counts: Map<string, number>, name: string, by: number): void => {
      const value = (counts.get(name) ?? 0) + sign * by
      // Sums of fractions come back to a little beside nothing.
      if (Math.abs(value) < 1e-9) counts.delete(name)
      else counts.set(name, value)
    }
    for (const [name, value] of requestsOf(pod.spec)) change(this.requested, name, value)
    for (const [name, value] of burdenOf(pod)) change(this.burden, name, value)
    for (const port of hostPortsOf(pod)) change(this.ports, port, 1)
    const owner = ownerOf(pod)
    if (owner !== undefined) change(this.owners, owner, 1)
  }
}

/** What the scheduler knows of nodes and the pods on them, kept up one change at a time. */
export class Snapshot {
  readonly #nodes = new Map<string, NodeInfo>()
  readonly #placed = new Map<string, string>()

  /** Nodes that exist, in the order of their names. */
  nodes(): readonly NodeInfo[] {
    const existing = [...this.#nodes.values()].filter((info) => info.node !== undefined)
    return existing.sort((a, b) => nameOf(a).localeCompare(nameOf(b)))
  }

  setNode(node: Node): void {
    this.#info(node.metadata.name ?? '').setNode(node)
  }

  removeNode(name: string): void {
    this.#nodes.get(name)?.setNode(undefined)
  }

  /** A pod as it is now. */
  setPod(pod: Pod): void {
    const { uid = '' } = pod.metadata
    this.removePod(uid)
    const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
    if (!pod.spec.nodeName || ended) return
    this.#placed.set(uid, pod.spec.nodeName)
    this.#info(pod.spec.nodeName).add(pod)
  }

  removePod(uid: string): void {
    const node = this.#placed.get(uid)
    if (node === undefined) return
    this.#placed.delete(uid)
    const info = this.#nodes.get(node)
    info?.remove(uid)
    if (info?.node === undefined && info?.pods.size === 0) this.#nodes.delete(node)
  }

  #info(name: string): NodeInfo {
    let info = this.#nodes.get(name)
    if (info === undefined) this.#nodes.set(name, (info = new NodeInfo()))
    return info
  }
}

export function nameOf(info: NodeInfo): string {
  return info.node?.metadata.name ?? ''
}

/** Ports of the node that a pod takes, as `protocol/port`. */
export function hostPortsOf(pod: Pod): readonly string[] {
  return pod.spec.containers.flatMap((container) =>
    (container.ports ?? []).flatMap(({ hostPort, protocol = 'TCP' }) => (hostPort ? [`${protocol}/${hostPort}`] : [])),
  )
}

/** What pods of a kind have in common. */
export function ownerOf(pod: Pod): string | undefined {
  return pod.metadata.ownerReferences?.[0]?.uid
}
