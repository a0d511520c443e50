import { hasStatus } from '../apiserver/status-error.ts'
import type { ControllerComponents } from '../controllers/components.types.ts'
import { WorkQueue } from '../controllers/work-queue.ts'
import { mergeConditions } from '../kubelet/pod-status.ts'
import { GVR } from '../objects/gvr.ts'
import { keyOf } from '../objects/object-cache.ts'
import type { Pod } from '../objects/pod.types.ts'
import { chooseNode, isNodeReady } from './fit.ts'

const SCHEDULER_NAME = 'default-scheduler'

/** Assigns pods to nodes. */
export class Scheduler implements Disposable {
  readonly #components: ControllerComponents
  readonly #queue: WorkQueue
  readonly #stack = new DisposableStack()
  /** Assigned here but not yet seen by the cache, so that a burst still spreads. */
  readonly #assumed = new Map<string, Pod>()
  readonly #unplaced = new Set<string>()

  constructor(components: ControllerComponents) {
    this.#components = components
    const { caches, clock, logger } = components
    this.#queue = this.#stack.use(
      new WorkQueue({ name: 'scheduler', logger, clock, reconcile: (key) => this.#schedule(key) }),
    )
    this.#stack.use(
      caches.pods.subscribe(({ type, object }) => {
        if (type === 'DELETED') this.#retry()
        if (object.spec.nodeName || type === 'DELETED') this.#forget(object)
        else this.#queue.add(keyOf(object))
      }),
    )
    this.#stack.use(caches.nodes.subscribe(() => this.#retry()))
    for (const pod of caches.pods.all()) if (!pod.spec.nodeName) this.#queue.add(keyOf(pod))
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  #retry(): void {
    for (const key of this.#unplaced) this.#queue.add(key)
  }

  #forget(pod: Pod): void {
    this.#assumed.delete(keyOf(pod))
    this.#unplaced.delete(keyOf(pod))
  }

  async #schedule(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const { caches, client, clock, events } = this.#components
    const pod = caches.pods.get(namespace, name)
    if (pod === undefined || pod.spec.nodeName || pod.metadata.deletionTimestamp !== undefined) return
    if ((pod.spec.schedulerName ?? SCHEDULER_NAME) !== SCHEDULER_NAME) return
    const nodes = [...caches.nodes.all()]
    const placed = [...caches.pods.all()].map((one) => this.#assumed.get(keyOf(one)) ?? one)
    const choice = chooseNode(pod, { nodes, pods: placed })
    const nowIso = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
    const condition = (status: string, reason?: string, message?: string): object => ({
      status: {
        conditions: mergeConditions(
          pod.status?.conditions ?? [],
          [{ type: 'PodScheduled', status, reason, message }],
          nowIso,
        ),
      },
    })
    if ('reasons' in choice) {
      this.#unplaced.add(key)
      const message = unplacedMessage(nodes.filter(isNodeReady).length, nodes.length, choice.reasons)
      const before = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
      if (before?.message === message) return
      events.event(pod, { type: 'Warning', reason: 'FailedScheduling', message, component: SCHEDULER_NAME })
      await client.patch(
        GVR.pods,
        namespace,
        name,
        { ...condition('False', 'Unschedulable', message) },
        { subresource: 'status' },
      )
      return
    }
    const assigned = { ...pod, spec: { ...pod.spec, nodeName: choice.node } }
    this.#assumed.set(key, assigned)
    try {
      await client.patch(GVR.pods, namespace, name, {
        metadata: { uid: pod.metadata.uid },
        spec: { nodeName: choice.node },
      })
    } catch (error) {
      this.#assumed.delete(key)
      if (hasStatus(error, 404) || hasStatus(error, 409)) return
      throw error
    }
    this.#unplaced.delete(key)
    const message = `Successfully assigned ${namespace}/${name} to ${choice.node}`
    events.event(pod, { type: 'Normal', reason: 'Scheduled', message, component: SCHEDULER_NAME })
  }
}

function unplacedMessage(ready: number, all: number, reasons: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`)
  return `0/${all} nodes are available${ready === 0 ? ' (none is ready)' : ''}: ${parts.join(', ')}.`
}
