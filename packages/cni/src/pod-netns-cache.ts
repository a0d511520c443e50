import type { Netns } from '@ambit/linux'
import type { ZdsPod } from './zds-messages.ts'

export interface CachedPod {
  readonly pod: ZdsPod
  /** Absent when the pod is believed to be served but its namespace was not found. */
  readonly netns: Netns | undefined
}

/** The pods a new ztunnel is told of. Owns their namespace handles. */
export class PodNetnsCache implements Disposable {
  readonly #pods = new Map<string, CachedPod>()

  /** Takes ownership of the handle. A handle already held is kept when the new entry has none. */
  put(pod: ZdsPod, netns: Netns | undefined): CachedPod {
    const old = this.#pods.get(pod.uid)
    if (netns !== undefined && netns !== old?.netns) old?.netns?.[Symbol.dispose]()
    const entry = { pod, netns: netns ?? old?.netns }
    this.#pods.set(pod.uid, entry)
    return entry
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
