import { LIMITS } from '../limits.ts'
import type { DaemonSet } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import type { Pod } from '../objects/pod.types.ts'
import type { ControllerComponents } from './components.types.ts'
import { ControllerRevisions, REVISION_HASH } from './controller-revisions.ts'
import { daemonSpec, nodeOfDaemon, placeOf, planDaemons } from './daemon-plan.ts'
import { OwnerQueue } from './owner-queue.ts'
import { isActive, isReady, msUntilAvailable, saysAlready, withoutZeros } from './ownership.ts'
import { PodControl } from './pod-control.ts'

/** Keeps one pod of each DaemonSet on every node it fits. */
export class DaemonSetController implements Disposable {
  readonly #components: ControllerComponents
  readonly #pods: PodControl
  readonly #revisions: ControllerRevisions
  readonly #queue: OwnerQueue<DaemonSet, Pod>
  readonly #stack = new DisposableStack()

  constructor(components: ControllerComponents) {
    this.#components = components
    this.#pods = new PodControl(components, 'daemonset-controller')
    this.#revisions = new ControllerRevisions(components)
    const { daemonSets, nodes, pods } = components.caches
    this.#queue = this.#stack.use(
      new OwnerQueue(components, {
        kind: 'DaemonSet',
        gvr: GVR.daemonSets,
        owners: daemonSets,
        dependents: pods,
        selectorOf: (set) => set.spec.selector,
        spacingMs: LIMITS.controllerSpacingMs,
        reconcile: (set) => this.#reconcile(set),
      }),
    )
    this.#stack.use(nodes.subscribe(() => this.#queue.addAll()))
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  async #reconcile(set: DaemonSet): Promise<void> {
    const { caches, clock } = this.#components
    const revisions = await this.#revisions.of(set)
    const hash = revisions.current.metadata.labels?.[REVISION_HASH] ?? ''
    const runs: string[] = []
    const keeping: string[] = []
    for (const node of caches.nodes.all()) {
      const place = placeOf(set.spec.template.spec, node)
      if (place.runs) runs.push(node.metadata.name ?? '')
      else if (place.stays) keeping.push(node.metadata.name ?? '')
    }
    const pods = await this.#pods.claim(set, set.spec.selector)
    const plan = planDaemons({ set, nodes: runs, keeping, pods, hash, nowMs: clock.now() })
    for (const node of plan.create) await this.#create(set, node, hash)
    for (const pod of plan.remove) await this.#pods.delete(set, pod)
    const owned = caches.pods.controlledBy(set.metadata.uid)
    await this.#writeStatus(set, runs, owned, hash)
    const inUse = new Set(owned.map(({ metadata }) => `${set.metadata.name}-${metadata.labels?.[REVISION_HASH]}`))
    await this.#revisions.truncate(set, revisions, inUse)
  }

  async #create(set: DaemonSet, node: string, hash: string): Promise<void> {
    const labels = { [REVISION_HASH]: hash, 'pod-template-generation': String(set.metadata.generation ?? 1) }
    await this.#pods.create(set, set.spec.template, { labels, spec: daemonSpec(set.spec.template.spec, node) })
  }

  async #writeStatus(set: DaemonSet, nodes: readonly string[], pods: readonly Pod[], hash: string): Promise<void> {
    const now = this.#components.clock.now()
    const on = new Map<string, Pod[]>()
    const misplaced = new Set<string>()
    for (const pod of pods.filter(isActive)) {
      const node = nodeOfDaemon(pod)
      if (!nodes.includes(node)) misplaced.add(node)
      else on.set(node, [...(on.get(node) ?? []), pod])
    }
    const waits = new Map(pods.map((pod) => [pod, msUntilAvailable(pod, set.spec.minReadySeconds ?? 0, now)]))
    const count = (test: (pod: Pod) => boolean): number => [...on.values()].filter((list) => list.some(test)).length
    const available = count((pod) => waits.get(pod) === 0)
    const status: Record<string, number> = {
      currentNumberScheduled: on.size,
      numberMisscheduled: misplaced.size,
      desiredNumberScheduled: nodes.length,
      numberReady: count(isReady),
      numberAvailable: available,
      numberUnavailable: nodes.length - available,
      updatedNumberScheduled: count((pod) => pod.metadata.labels?.[REVISION_HASH] === hash),
      observedGeneration: set.metadata.generation ?? 0,
    }
    const soonest = Math.min(...[...waits.values()].filter((wait) => wait !== undefined && wait > 0).map(Number))
    if (Number.isFinite(soonest)) this.#queue.addAfter(set, soonest)
    // A first status is written even when it is all zeros.
    if (set.status?.['observedGeneration'] !== undefined && saysAlready(set.status, status)) return
    const { namespace, name = '' } = set.metadata
    const always = ['currentNumberScheduled', 'numberMisscheduled', 'desiredNumberScheduled', 'numberReady']
    const patch = { status: withoutZeros(status, always) }
    await this.#components.client.patch(GVR.daemonSets, namespace, name, patch, { subresource: 'status' })
  }
}
