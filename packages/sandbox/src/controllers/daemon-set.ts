import { hasStatus } from '../apiserver/status-error.ts'
import type { DaemonSet, Node } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import type { Pod, PodSpec, Toleration } from '../objects/pod.types.ts'
import { fitsNode } from '../scheduler/fit.ts'
import type { ControllerComponents } from './components.types.ts'
import { OwnerQueue } from './owner-queue.ts'
import {
  controllerOf,
  isActive,
  isAvailable,
  isReady,
  ownerReference,
  randomSuffix,
  templateHash,
} from './ownership.ts'
import { resolveIntOrPercent } from './rollout.ts'

const HASH = 'controller-revision-hash'

/** Taints that never keep a daemon away (Kubernetes adds the same tolerations). */
const DAEMON_TOLERATIONS: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
]

/** Keeps one pod of each DaemonSet on every node it fits. */
export class DaemonSetController implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: OwnerQueue<DaemonSet, Pod>
  readonly #stack = new DisposableStack()

  constructor(components: ControllerComponents) {
    this.#components = components
    const { daemonSets, pods, nodes } = components.caches
    this.#queue = this.#stack.use(
      new OwnerQueue(components, {
        kind: 'DaemonSet',
        gvr: GVR.daemonSets,
        owners: daemonSets,
        dependents: pods,
        reconcile: (set) => this.#reconcile(set),
      }),
    )
    this.#stack.use(nodes.subscribe(() => this.#queue.addAll()))
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  async #reconcile(set: DaemonSet): Promise<void> {
    const { caches, client } = this.#components
    const { namespace } = set.metadata
    const tolerations = [...(set.spec.template.spec.tolerations ?? []), ...DAEMON_TOLERATIONS]
    const nodes = [...caches.nodes.all()].filter((node) => fitsNode(set.spec.template.spec, node, tolerations).fits)
    const pods = await this.#podsOf(set)
    const hash = templateHash(set.spec.template)
    const nowMs = this.#components.clock.now()
    const plan = planDaemons({ set, nodes: nodes.map(({ metadata }) => metadata.name ?? ''), pods, hash, nowMs })
    for (const node of plan.create) await this.#create(set, node, hash, tolerations)
    for (const pod of plan.remove) {
      const { uid, name: podName = '' } = pod.metadata
      await client.delete(GVR.pods, namespace, podName, { preconditions: { uid } }).catch((error: unknown) => {
        if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error
      })
    }
    await this.#writeStatus(set, nodes, await this.#podsOf(set), hash)
  }

  async #podsOf(set: DaemonSet): Promise<Pod[]> {
    const { items } = await this.#components.client.list(GVR.pods, { namespace: set.metadata.namespace })
    return (items as Pod[]).filter((pod) => controllerOf(pod)?.uid === set.metadata.uid)
  }

  async #create(set: DaemonSet, node: string, hash: string, tolerations: readonly Toleration[]): Promise<void> {
    const { template } = set.spec
    const name = `${set.metadata.name}-${randomSuffix()}`
    const spec: PodSpec = { ...template.spec, nodeName: node, tolerations }
    await this.#components.client.create(GVR.pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        generateName: `${set.metadata.name}-`,
        namespace: set.metadata.namespace,
        labels: {
          ...template.metadata?.labels,
          [HASH]: hash,
          'pod-template-generation': String(set.metadata.generation ?? 1),
        },
        ...(template.metadata?.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
        ownerReferences: [ownerReference(set)],
      },
      spec,
    })
    const component = 'daemonset-controller'
    this.#components.events.event(set, {
      type: 'Normal',
      reason: 'SuccessfulCreate',
      message: `Created pod: ${name}`,
      component,
    })
  }

  async #writeStatus(set: DaemonSet, nodes: readonly Node[], pods: readonly Pod[], hash: string): Promise<void> {
    const names = new Set(nodes.map(({ metadata }) => metadata.name))
    const byNode = new Map<string, Pod[]>()
    for (const pod of pods.filter(isActive)) {
      const node = pod.spec.nodeName ?? ''
      if (names.has(node)) byNode.set(node, [...(byNode.get(node) ?? []), pod])
    }
    const now = this.#components.clock.now()
    const minReady = set.spec.minReadySeconds ?? 0
    const count = (test: (pod: Pod) => boolean): number => [...byNode.values()].filter((list) => list.some(test)).length
    const available = count((pod) => isAvailable(pod, minReady, now))
    const status: Record<string, number> = {
      currentNumberScheduled: byNode.size,
      numberMisscheduled: 0,
      desiredNumberScheduled: nodes.length,
      numberReady: count(isReady),
      numberAvailable: available,
      numberUnavailable: nodes.length - available,
      updatedNumberScheduled: count((pod) => pod.metadata.labels?.[HASH] === hash),
      observedGeneration: set.metadata.generation ?? 0,
    }
    if (minReady > 0 && count(isReady) > available) this.#queue.addAfter(set, minReady * 1000)
    if (Object.entries(status).every(([field, value]) => set.status?.[field] === value)) return
    await this.#components.client.patch(
      GVR.daemonSets,
      set.metadata.namespace,
      set.metadata.name ?? '',
      { status },
      { subresource: 'status' },
    )
  }
}

export interface DaemonPlan {
  /** Nodes to create a pod on. */
  readonly create: readonly string[]
  readonly remove: readonly Pod[]
}

/** The next step of a DaemonSet: pods missing, misplaced or outdated, within the update strategy's bounds. */
export function planDaemons(o: {
  readonly set: DaemonSet
  readonly nodes: readonly string[]
  readonly pods: readonly Pod[]
  readonly hash: string
  readonly nowMs: number
}): DaemonPlan {
  const { nodes, pods, set } = o
  const create: string[] = []
  const remove: Pod[] = pods.filter((pod) => isActive(pod) && !nodes.includes(pod.spec.nodeName ?? ''))
  // Ended daemons are replaced.
  remove.push(...pods.filter((pod) => !isActive(pod) && pod.metadata.deletionTimestamp === undefined))
  const rolling = (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate'
  const { maxSurge = 0, maxUnavailable = 1 } = set.spec.updateStrategy?.rollingUpdate ?? {}
  const surge = resolveIntOrPercent(maxSurge, nodes.length, 'up')
  const allowed = Math.max(surge === 0 ? 1 : 0, resolveIntOrPercent(maxUnavailable, nodes.length, 'up'))
  const available = (pod: Pod): boolean => isAvailable(pod, set.spec.minReadySeconds ?? 0, o.nowMs)
  const on = (node: string): Pod[] => pods.filter((pod) => pod.spec.nodeName === node)
  let surging = 0
  let unavailable = nodes.filter((node) => !on(node).some((pod) => isActive(pod) && available(pod))).length
  const outdated: { readonly node: string; readonly pod: Pod }[] = []
  for (const node of nodes) {
    const here = on(node)
    const active = here.filter(isActive)
    const fresh = active.filter((pod) => pod.metadata.labels?.[HASH] === o.hash)
    const stale = active.filter((pod) => pod.metadata.labels?.[HASH] !== o.hash)
    // A pod still ending holds the node's place, unless surge lets two be there.
    const ending = here.some((pod) => pod.metadata.deletionTimestamp !== undefined)
    if (active.length === 0) {
      if (!ending || surge > 0) create.push(node)
      continue
    }
    remove.push(...fresh.slice(1))
    if (fresh.length > 0 && stale.length > 0) {
      surging++
      if (fresh.some(available)) remove.push(...stale)
    } else {
      remove.push(...stale.slice(1))
      const [pod] = stale
      if (pod !== undefined) outdated.push({ node, pod })
    }
  }
  if (!rolling) return { create, remove }
  for (const { node, pod } of outdated) {
    if (!available(pod)) remove.push(pod)
    else if (surge > 0) {
      if (surging < surge) {
        surging++
        create.push(node)
      }
    } else if (unavailable < allowed) {
      unavailable++
      remove.push(pod)
    }
  }
  return { create, remove }
}
