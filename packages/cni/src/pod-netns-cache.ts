import type { Netns } from '@ambit/linux'
import type { ZdsPod } from './zds-messages.ts'

export interface CachedPod {
  readonly pod: ZdsPod
  /** Absent when the pod is believed to be served but its namespace was not found. */
  readonly netns: Netns | undefined
  /** The pod is being let go: held for its namespace, and not to be announced any more. */
  readonly leaving: boolean
}

/** The pods a new ztunnel is told of. Owns their namespace handles. */
export class PodNetnsCache implements Disposable {
  readonly #pods = new Map<string, CachedPod>()

  /** Takes ownership of the handle. A handle already held is kept when the new entry has none. */
  put(pod: ZdsPod, netns: Netns | undefined): CachedPod {
    const old = this.#pods.get(pod.uid)
    if (netns !== undefined && netns !== old?.netns) old?.netns?.[Symbol.dispose]()
    const entry = { pod, netns: netns ?? old?.netns, leaving: false }
    this.#pods.set(pod.uid, entry)
    return entry
  }

  /** Takes the pod out of the snapshot and keeps its handle, until it is put or deleted. */
  leave(uid: string): void {
    const held = this.#pods.get(uid)
    if (held !== undefined) this.#pods.set(uid, { ...held, leaving: true })
  }

  get(uid: string): CachedPod | undefined {
    return this.#pods.get(uid)
  }

  delete(uid: string): void {
    this.#pods.get(uid)?.netns?.[Symbol.dispose]()
    this.#pods.delete(uid)
  }

  values(): readonly CachedPod[] {
    return [...this.#pods.values()]
  }

  [Symbol.dispose](): void {
    for (const uid of [...this.#pods.keys()]) this.delete(uid)
  }
}
