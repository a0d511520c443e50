import { messageOf } from '@ambit/core'
import { hasStatus } from '../apiserver/status-error.ts'
import type { Node, Taint } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import { keyOf } from '../objects/object-cache.ts'
import type { Pod, Toleration } from '../objects/pod.types.ts'
import { taintsOf, tolerates } from '../scheduler/node-fit.ts'
import type { ControllerComponents } from './components.types.ts'
import { nextConditions } from './conditions.ts'
import { isoTime } from './ownership.ts'
import { WorkQueue } from './work-queue.ts'

const COMPONENT = 'taint-eviction-controller'

/** Removes pods from nodes whose taints NoExecute they don't tolerate, or no longer. */
export class TaintEvictionController implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: WorkQueue
  readonly #stack = new DisposableStack()
  /** Since when a node has each of its taints, as far as it doesn't say so itself. */
  readonly #since = new Map<string, Map<string, number>>()
  readonly #byNode = new Map<string, Set<string>>()

  constructor(components: ControllerComponents) {
    this.#components = components
    const { caches, clock, logger } = components
    const reconcile = (key: string): Promise<void> => this.#reconcile(key)
    this.#queue = this.#stack.use(new WorkQueue({ name: 'taint-eviction', logger, clock, reconcile }))
    this.#stack.use(
      caches.pods.subscribe(({ type, object, previous }) => {
        this.#assign(object, type !== 'DELETED')
        // Else each status of each pod would be looked at.
        const moved = previous?.spec.nodeName !== object.spec.nodeName
        const changed = previous?.spec.tolerations?.length !== object.spec.tolerations?.length
        if (type !== 'DELETED' && (moved || changed) && this.#taints(object).length > 0) this.#queue.add(keyOf(object))
      }),
    )
    this.#stack.use(caches.nodes.subscribe(({ type, object }) => this.#onNode(type === 'DELETED', object)))
    for (const pod of caches.pods.all()) this.#assign(pod, true)
    for (const node of caches.nodes.all()) this.#onNode(false, node)
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  #assign(pod: Pod, present: boolean): void {
    const { nodeName } = pod.spec
    if (!nodeName) return
    const pods = this.#byNode.get(nodeName) ?? new Set<string>()
    if (present) this.#byNode.set(nodeName, pods.add(keyOf(pod)))
    else if (pods.delete(keyOf(pod)) && pods.size === 0) this.#byNode.delete(nodeName)
  }

  #onNode(deleted: boolean, node: Node): void {
    const { name = '' } = node.metadata
    const before = this.#since.get(name)
    const now = this.#components.clock.now()
    const driving = deleted ? [] : drivingTaints(node)
    const since = new Map(driving.map((taint) => [identity(taint), before?.get(identity(taint)) ?? now]))
    if (since.size === 0) this.#since.delete(name)
    else this.#since.set(name, since)
    if (since.size === 0 && before === undefined) return
    for (const key of this.#byNode.get(name) ?? []) this.#queue.add(key)
  }

  #taints(pod: Pod): readonly Taint[] {
    const node = this.#components.caches.nodes.get(undefined, pod.spec.nodeName ?? '')
    return node === undefined ? [] : drivingTaints(node)
  }

  async #reconcile(key: string): Promise<void> {
    const [namespace, name = ''] = key.split('/')
    const { caches, clock } = this.#components
    const pod = caches.pods.get(namespace, name)
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return
    const taints = this.#taints(pod)
    if (taints.length === 0) return
    const { nodeName = '', tolerations = [] } = pod.spec
    const leftMs = Math.min(
      ...taints.map((taint) => {
        const since =
          Date.parse(taint.timeAdded ?? '') || (this.#since.get(nodeName)?.get(identity(taint)) ?? clock.now())
        return since + toleratedMs(tolerations, taint) - clock.now()
      }),
    )
    if (leftMs > 0) {
      if (Number.isFinite(leftMs)) this.#queue.addAfter(key, leftMs)
      return
    }
    await this.#evict(pod)
  }

  async #evict(pod: Pod): Promise<void> {
    const { client, clock, events, logger } = this.#components
    const { namespace, name = '', uid } = pod.metadata
    const message = `Marking for deletion Pod ${namespace}/${name}`
    events.event(pod, { type: 'Normal', reason: 'TaintManagerEviction', message, component: COMPONENT })
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
    }
    const conditions = nextConditions(pod.status?.conditions ?? [], [condition], isoTime(clock.now()))
    try {
      const status = { metadata: { uid }, status: { conditions } }
      await client.patch(GVR.pods, namespace, name, status, { subresource: 'status' })
      await client.delete(GVR.pods, namespace, name, { preconditions: { uid } })
    } catch (error) {
      if (hasStatus(error, 404) || hasStatus(error, 409)) return
      logger.warn(`pod ${namespace}/${name} not evicted from its tainted node yet`, { error: messageOf(error) })
      throw error
    }
  }
}

function drivingTaints(node: Node): readonly Taint[] {
  return taintsOf(node).filter(({ effect }) => effect === 'NoExecute')
}

function identity(taint: Taint): string {
  return `${taint.key}=${taint.value ?? ''}`
}

/** How long the tolerations bear a taint: not at all, for the shortest of their times, or for ever. */
export function toleratedMs(tolerations: readonly Toleration[], taint: Taint): number {
  const bearing = tolerations.filter((toleration) => tolerates(toleration, taint))
  if (bearing.length === 0) return 0
  const times = bearing.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? [])
  return times.length === 0 ? Number.POSITIVE_INFINITY : Math.max(0, Math.min(...times)) * 1000
}
