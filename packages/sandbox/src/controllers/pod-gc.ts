import { messageOf } from '@ambit/core'
import { hasStatus } from '../apiserver/status-error.ts'
import { LIMITS } from '../limits.ts'
import { GVR } from '../objects/gvr.ts'
import type { Pod } from '../objects/pod.types.ts'
import type { ControllerComponents } from './components.types.ts'
import { isEnded } from './ownership.ts'

/** Removes pods that nobody will: unassigned ones being deleted, ones of vanished nodes, and old ended ones. */
export class PodGc implements Disposable {
  readonly #components: ControllerComponents
  readonly #stack = new DisposableStack()
  readonly #ended = new Map<string, Pod>()

  constructor(components: ControllerComponents) {
    this.#components = components
    const { pods, nodes } = components.caches
    this.#stack.use(
      pods.subscribe(({ type, object }) => {
        if (type === 'DELETED') this.#ended.delete(object.metadata.uid ?? '')
        else this.#onPod(object)
      }),
    )
    this.#stack.use(
      nodes.subscribe(({ type, object }) => {
        if (type !== 'DELETED') return
        for (const pod of pods.all()) if (pod.spec.nodeName === object.metadata.name) this.#remove(pod)
      }),
    )
    for (const pod of pods.all()) this.#onPod(pod)
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  #onPod(pod: Pod): void {
    if (pod.metadata.deletionTimestamp !== undefined && !pod.spec.nodeName) return this.#remove(pod)
    if (!isEnded(pod)) return
    this.#ended.set(pod.metadata.uid ?? '', pod)
    const surplus = this.#ended.size - LIMITS.terminatedPodsKept
    if (surplus <= 0) return
    // An ended pod has no worker left on its node to finish its deletion.
    const oldest = [...this.#ended.values()].sort((a, b) =>
      (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''),
    )
    for (const one of oldest.slice(0, surplus)) this.#remove(one)
  }

  #remove(pod: Pod): void {
    const { name = '', namespace, uid } = pod.metadata
    const options = { gracePeriodSeconds: 0, preconditions: { uid } }
    this.#components.client.delete(GVR.pods, namespace, name, options).catch((error: unknown) => {
      if (hasStatus(error, 404) || hasStatus(error, 409)) return
      this.#components.logger.warn(`pod ${namespace}/${name} not collected`, { error: messageOf(error) })
    })
  }
}
