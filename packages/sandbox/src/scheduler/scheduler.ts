import { Backoff, messageOf } from '@ambit/core'
import { hasStatus } from '../apiserver/status-error.ts'
import type { ControllerComponents } from '../controllers/components.types.ts'
import { conditionOf, nextConditions } from '../controllers/conditions.ts'
import { isoTime } from '../controllers/ownership.ts'
import { GVR } from '../objects/gvr.ts'
import { keyOf } from '../objects/object-cache.ts'
import type { Condition, Pod } from '../objects/pod.types.ts'
import { chooseNode } from './choose-node.ts'
import { Snapshot } from './snapshot.ts'
import { unschedulableMessage } from './unschedulable.ts'

const SCHEDULER_NAME = 'default-scheduler'
/** Pods placed in one turn of the event loop. */
const BATCH = 20
/** Changes of the cluster are waited for that long before pods that fit nowhere are tried again. */
const RETRY_SPACING_MS = 100
const RETRY = { initialMs: 100, maxMs: 10_000 } as const

interface Waiting {
  readonly priority: number
  readonly order: number
}

/** Assigns pods to nodes: those of higher priority first, then in the order they came. It never preempts. */
export class Scheduler implements Disposable {
  readonly #components: ControllerComponents
  readonly #stack = new DisposableStack()
  readonly #snapshot = new Snapshot()
  readonly #waiting = new Map<string, Waiting>()
  readonly #unplaced = new Set<string>()
  readonly #backoff = new Map<string, Backoff>()
  #order = 0
  #running = false
  #retry: Disposable | undefined
  #closed = false

  constructor(components: ControllerComponents) {
    this.#components = components
    const { nodes, pods } = components.caches
    for (const node of nodes.all()) this.#snapshot.setNode(node)
    for (const pod of pods.all()) this.#onPod(pod)
    this.#stack.use(
      nodes.subscribe(({ type, object }) => {
        if (type === 'DELETED') this.#snapshot.removeNode(object.metadata.name ?? '')
        else this.#snapshot.setNode(object)
        this.#retrySoon()
      }),
    )
    this.#stack.use(
      pods.subscribe(({ type, object }) => {
        if (type === 'DELETED') this.#onGone(object)
        else this.#onPod(object)
      }),
    )
    this.#stack.defer(() => this.#retry?.[Symbol.dispose]())
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#stack.dispose()
  }

  #onPod(pod: Pod): void {
    this.#snapshot.setPod(pod)
    if (!pod.spec.nodeName) return this.#add(pod)
    this.#forget(pod)
    // Room that an ended pod gave up, or company that another waits for.
    if (this.#unplaced.size > 0) this.#retrySoon()
  }

  #onGone(pod: Pod): void {
    this.#snapshot.removePod(pod.metadata.uid ?? '')
    this.#forget(pod)
    this.#retrySoon()
  }

  #forget(pod: Pod): void {
    const key = keyOf(pod)
    this.#waiting.delete(key)
    this.#unplaced.delete(key)
    this.#backoff.delete(key)
  }

  #add(pod: Pod): void {
    const key = keyOf(pod)
    if (this.#waiting.has(key) || (pod.spec.schedulerName ?? SCHEDULER_NAME) !== SCHEDULER_NAME) return
    this.#waiting.set(key, { priority: pod.spec.priority ?? 0, order: this.#order++ })
    this.#runSoon()
  }

  #retrySoon(): void {
    if (this.#unplaced.size === 0 || this.#retry !== undefined || this.#closed) return
    this.#retry = this.#components.clock.after(RETRY_SPACING_MS, () => {
      this.#retry = undefined
      for (const key of this.#unplaced) this.#again(key)
    })
  }

  #again(key: string): void {
    const [namespace, name = ''] = key.split('/')
    const pod = this.#components.caches.pods.get(namespace, name)
    if (pod === undefined || pod.spec.nodeName) this.#unplaced.delete(key)
    else this.#add(pod)
  }

  #runSoon(): void {
    if (this.#running || this.#closed) return
    this.#running = true
    setImmediate(() => void this.#run())
  }

  async #run(): Promise<void> {
    const first = (a: [string, Waiting], b: [string, Waiting]): number =>
      b[1].priority - a[1].priority || a[1].order - b[1].order
    const batch = [...this.#waiting].sort(first).slice(0, BATCH)
    for (const [key] of batch) {
      this.#waiting.delete(key)
      try {
        if (!this.#closed) await this.#schedule(key)
      } catch (error) {
        let backoff = this.#backoff.get(key)
        if (backoff === undefined) this.#backoff.set(key, (backoff = new Backoff(RETRY)))
        this.#components.logger.debug(`scheduling of ${key} will be retried`, { error: messageOf(error) })
        this.#components.clock.after(backoff.next(), () => this.#again(key))
      }
    }
    this.#running = false
    if (this.#waiting.size > 0) this.#runSoon()
  }

  async #schedule(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const { caches, client, events } = this.#components
    const pod = caches.pods.get(namespace, name)
    if (pod === undefined || pod.spec.nodeName || pod.metadata.deletionTimestamp !== undefined) return
    if ((pod.spec.schedulingGates?.length ?? 0) > 0) {
      const message = 'Scheduling is blocked due to non-empty scheduling gates'
      return await this.#tell(pod, { type: 'PodScheduled', status: 'False', reason: 'SchedulingGated', message })
    }
    const nodes = this.#snapshot.nodes()
    const choice = chooseNode(pod, nodes, (one) => caches.namespaces.get(undefined, one)?.metadata.labels)
    if ('refusals' in choice) return await this.#refuse(pod, nodes.length, choice.refusals)
    try {
      const { uid } = pod.metadata
      const patch = { metadata: { uid }, spec: { nodeName: choice.node } }
      caches.pods.note((await client.patch(GVR.pods, namespace, name, patch)) as Pod)
    } catch (error) {
      if (hasStatus(error, 404) || hasStatus(error, 409)) return
      throw error
    }
    const message = `Successfully assigned ${namespace}/${name} to ${choice.node}`
    events.event(pod, { type: 'Normal', reason: 'Scheduled', message, component: SCHEDULER_NAME })
  }

  async #refuse(pod: Pod, nodes: number, refusals: readonly (readonly string[])[]): Promise<void> {
    this.#unplaced.add(keyOf(pod))
    const message = unschedulableMessage(nodes, refusals, pod.spec.preemptionPolicy)
    if (conditionOf(pod.status?.conditions, 'PodScheduled')?.message === message) return
    const { events } = this.#components
    events.event(pod, { type: 'Warning', reason: 'FailedScheduling', message, component: SCHEDULER_NAME })
    await this.#tell(pod, { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message })
  }

  async #tell(pod: Pod, condition: Condition): Promise<void> {
    const { caches, client, clock } = this.#components
    const before = pod.status?.conditions ?? []
    const conditions = nextConditions(before, [condition], isoTime(clock.now()))
    if (before.length === conditions.length && conditions.every((one, i) => one === before[i])) return
    const { namespace, name = '', uid } = pod.metadata
    const patch = { metadata: { uid }, status: { conditions } }
    try {
      caches.pods.note((await client.patch(GVR.pods, namespace, name, patch, { subresource: 'status' })) as Pod)
    } catch (error) {
      if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error
    }
  }
}
