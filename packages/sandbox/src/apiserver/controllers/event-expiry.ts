import type { Clock } from '@ambit/core'
import type { KubeObject } from '../contract.types.ts'
import { at } from '../json.ts'
import { EVENT_SWEEP_MS, EVENT_TTL_MS, MAX_EVENTS } from '../limits.ts'
import type { ObjectStore } from '../store/object-store.ts'

const KEYS = ['/events', 'events.k8s.io/events']

/** Forgets Events after their time, and the oldest when there are too many. */
export class EventExpiry implements Disposable {
  readonly #store: ObjectStore
  readonly #clock: Clock
  #timer: Disposable

  constructor(store: ObjectStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#timer = clock.after(EVENT_SWEEP_MS, () => this.#sweep())
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]()
  }

  #sweep(): void {
    for (const key of KEYS) {
      const events = this.#store.list(key).map((object) => ({ object, time: lastSeen(object) }))
      events.sort((a, b) => b.time - a.time)
      const oldest = this.#clock.now() - EVENT_TTL_MS
      for (const [index, { object, time }] of events.entries())
        if (index >= MAX_EVENTS || time < oldest) this.#store.remove(key, object)
    }
    this.#timer = this.#clock.after(EVENT_SWEEP_MS, () => this.#sweep())
  }
}

function lastSeen(event: KubeObject): number {
  const time = at(event, 'lastTimestamp') ?? at(event, 'eventTime') ?? event.metadata.creationTimestamp
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN
  return Number.isNaN(ms) ? 0 : ms
}
