import { Backoff, messageOf } from '@ambit/core'
import { hasStatus } from '../apiserver/status-error.ts'
import type { ControllerComponents } from '../controllers/components.types.ts'
import { conditionOf, nextConditions } from '../controllers/conditions.ts'
import { isoTime } from '../controllers/ownership.ts'
import { GVR } from '../objects/gvr.ts'
import { keyOf } from '../objects/object-cache.ts'
import type { Condition, Pod } from '../objects/pod.types.ts'
import { matchesSelector } from '../objects/selector.ts'
import { chooseNode, type Surroundings } from './choose-node.ts'
import { choosePreemption } from './preemption.ts'
import { type NodeInfo, nameOf, Snapshot } from './snapshot.ts'
import { hopelessMessage, unschedulableMessage } from './unschedulable.ts'
import { claimProblem, claimsOf } from './volume-fit.ts'

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

/** Assigns pods to nodes: those of higher priority first, then in the order they came. */
export class Scheduler implements Disposable {
  readonly #components: ControllerComponents
  readonly #stack = new DisposableStack()
  readonly #snapshot = new Snapshot()
  readonly #waiting = new Map<string, Waiting>()
  readonly #unplaced = new Set<string>()
  readonly #backoff = new Map<string, Backoff>()
  /** Pods for which others were ended, with the node that is kept for them. */
  readonly #nominated = new Map<string, { readonly pod: Pod; readonly node: string }>()
  #order = 0
  #running = false
  #retry: Disposable | undefined
  #closed = false

  constructor(components: ControllerComponents) {
    this.#components = components
    const { nodes, pods, volumeClaims } = components.caches
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
    this.#stack.use(
      volumeClaims.subscribe(({ object }) => {
        const { name = '', namespace } = object.metadata
        for (const key of this.#unplaced) {
          const pod = key.startsWith(`${namespace}/`)
            ? pods.get(namespace, key.slice(`${namespace}/`.length))
            : undefined
          if (pod !== undefined && claimsOf(pod).includes(name)) this.#again(key)
        }
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
    this.#nominated.delete(key)
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
    const nodes = this.#nodesFor(pod)
    const problem = claimProblem(pod, (claim) => caches.volumeClaims.get(namespace, claim))
    if (problem !== undefined) return await this.#tellUnplaced(pod, hopelessMessage(nodes.length, problem))
    const choice = chooseNode(pod, nodes, this.#around)
    if ('refusals' in choice) return await this.#refuse(pod, nodes, choice.refusals)
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

  readonly #around: Surroundings = {
    namespaceLabels: (name) => this.#components.caches.namespaces.get(undefined, name)?.metadata.labels,
    volumesOf: (pod) => {
      const { volumeClaims, volumes } = this.#components.caches
      return claimsOf(pod).flatMap((name) => {
        const claim = volumeClaims.get(pod.metadata.namespace, name)
        return volumes.get(undefined, claim?.spec.volumeName ?? '') ?? []
      })
    },
  }

  /** The nodes, with those pods on them that room was made for and that don't rank below this one. */
  #nodesFor(pod: Pod): readonly NodeInfo[] {
    const nodes = this.#snapshot.nodes()
    if (this.#nominated.size === 0) return nodes
    return nodes.map((info) => {
      const plus = [...this.#nominated.values()]
        .filter(({ node, pod: other }) => node === nameOf(info) && other.metadata.uid !== pod.metadata.uid)
        .filter(({ pod: other }) => (other.spec.priority ?? 0) >= (pod.spec.priority ?? 0))
      return plus.length === 0 ? info : info.changed({ plus: plus.map(({ pod: other }) => other) })
    })
  }

  async #refuse(pod: Pod, nodes: readonly NodeInfo[], refusals: readonly (readonly string[])[]): Promise<void> {
    const message = unschedulableMessage(nodes.length, refusals, pod.spec.preemptionPolicy)
    await this.#tellUnplaced(pod, message, await this.#preempt(pod, nodes))
  }

  async #tellUnplaced(pod: Pod, message: string, nominatedNodeName?: string): Promise<void> {
    this.#unplaced.add(keyOf(pod))
    const said = conditionOf(pod.status?.conditions, 'PodScheduled')?.message === message
    if (said && nominatedNodeName === undefined) return
    const { events } = this.#components
    events.event(pod, { type: 'Warning', reason: 'FailedScheduling', message, component: SCHEDULER_NAME })
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }
    await this.#tell(pod, condition, nominatedNodeName === undefined ? {} : { nominatedNodeName })
  }

  /** Ends pods of lower priority so that this one finds room; the node where, if there is one. */
  async #preempt(pod: Pod, nodes: readonly NodeInfo[]): Promise<string | undefined> {
    const { caches, client, clock, events } = this.#components
    if (pod.spec.preemptionPolicy === 'Never') return undefined
    // What it waits for is under way.
    const nominated = this.#nominated.get(keyOf(pod))
    const isEnding = (one: Pod): boolean => one.metadata.deletionTimestamp !== undefined
    const waitedFor = nodes.find((info) => nameOf(info) === nominated?.node)
    if ([...(waitedFor?.pods.values() ?? [])].some(isEnding)) return undefined
    const budgets = (one: Pod): boolean =>
      caches.disruptionBudgets
        .inNamespace(one.metadata.namespace)
        .some(
          ({ spec, status }) =>
            spec.selector !== undefined &&
            matchesSelector(spec.selector, one.metadata.labels) &&
            (status?.disruptionsAllowed ?? 0) <= 0,
        )
    const chosen = choosePreemption(pod, nodes, this.#around, budgets)
    if (chosen === undefined) return undefined
    this.#nominated.set(keyOf(pod), { pod, node: chosen.node })
    for (const victim of chosen.victims) {
      const { namespace, name = '', uid } = victim.metadata
      const message = `Preempted by pod ${pod.metadata.uid} on node ${chosen.node}`
      events.event(victim, { type: 'Normal', reason: 'Preempted', message, component: SCHEDULER_NAME })
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'PreemptionByScheduler',
        message: `${SCHEDULER_NAME}: preempting to accommodate a higher priority pod`,
      }
      const conditions = nextConditions(victim.status?.conditions ?? [], [condition], isoTime(clock.now()))
      try {
        const patch = { metadata: { uid }, status: { conditions } }
        await client.patch(GVR.pods, namespace, name, patch, { subresource: 'status' })
        await client.delete(GVR.pods, namespace, name, { preconditions: { uid } })
      } catch (error) {
        if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error
      }
    }
    return chosen.node
  }

  async #tell(pod: Pod, condition: Condition, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const { caches, client, clock } = this.#components
    const before = pod.status?.conditions ?? []
    const conditions = nextConditions(before, [condition], isoTime(clock.now()))
    const same = before.length === conditions.length && conditions.every((one, i) => one === before[i])
    if (same && Object.keys(more).length === 0) return
    const { namespace, name = '', uid } = pod.metadata
    const patch = { metadata: { uid }, status: { conditions, ...more } }
    try {
      caches.pods.note((await client.patch(GVR.pods, namespace, name, patch, { subresource: 'status' })) as Pod)
    } catch (error) {
      if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error
    }
  }
}
