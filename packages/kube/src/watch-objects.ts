import { Backoff, type Clock, type Logger, messageOf, systemClock } from '@ambit/core'
import { statusOf } from './errors.ts'
import type { KubeClient } from './kube-client.ts'
import { MISSING_KIND_RETRY_MS, RELIST_BACKOFF, SHORT_WATCH_MS, WATCH_SECONDS, WATCH_SILENCE_MS } from './limits.ts'
import type { KubeObject, ResourceKind, Selection } from './object.types.ts'
import { ObjectSet, type ReadonlyObjectSet } from './object-set.ts'

export interface WatchObjectsOptions<T extends KubeObject> extends Selection {
  readonly client: KubeClient
  readonly kind: ResourceKind
  /** Ends the watch; the set keeps what it had. */
  readonly signal: AbortSignal
  readonly logger: Logger
  readonly clock?: Clock
  /** Applied to each object before it is kept: drop what no reader wants, memory is per object. */
  readonly trim?: ((object: T) => T) | undefined
}

/**
 * Keeps a set equal to what the API server has: lists, then watches from there, lists again when the server has
 * forgotten where we were (410), retries with a growing delay. A kind the cluster does not have counts as empty.
 */
export function watchObjects<T extends KubeObject = KubeObject>(options: WatchObjectsOptions<T>): ReadonlyObjectSet<T> {
  const set = new ObjectSet<T>()
  // Ends only by the signal; every other failure is logged and retried inside.
  follow(set, options).catch((error: unknown) => {
    if (!options.signal.aborted) options.logger.error(`watch of ${options.kind.plural} stopped: ${messageOf(error)}`)
  })
  return set
}

async function follow<T extends KubeObject>(set: ObjectSet<T>, options: WatchObjectsOptions<T>): Promise<void> {
  const { client, kind, signal, logger } = options
  const clock = options.clock ?? systemClock
  const trim = options.trim ?? ((object: T) => object)
  const backoff = new Backoff(RELIST_BACKOFF)
  let resourceVersion: string | undefined
  let wasTooOld = false
  while (!signal.aborted) {
    let startedMs = Number.POSITIVE_INFINITY
    // Nothing is heard while waiting, so only what ends at once is waited for.
    const pause = async (): Promise<void> => {
      if (clock.monotonic() - startedMs < SHORT_WATCH_MS)
        await clock.sleep(backoff.next(), signal).catch(() => undefined)
      else backoff.reset()
    }
    try {
      if (resourceVersion === undefined) {
        resourceVersion = await listInto(set, options, trim)
      }
      const seconds = Math.floor(WATCH_SECONDS * (1 + Math.random()))
      startedMs = clock.monotonic()
      using silence = new Silence(clock)
      const events = client.watch<T>(kind, {
        ...options,
        resourceVersion,
        timeoutSeconds: seconds,
        signal: AbortSignal.any([signal, silence.signal]),
      })
      for await (const { type, object } of events) {
        resourceVersion = object.metadata.resourceVersion ?? resourceVersion
        backoff.reset()
        wasTooOld = false
        silence.broken()
        if (type === 'ADDED' || type === 'MODIFIED') set.put(trim(object))
        else if (type === 'DELETED') set.remove(object.metadata.namespace, object.metadata.name)
      }
      await pause()
    } catch (error) {
      if (signal.aborted) return
      const status = statusOf(error)
      if (status === 404) {
        set.replace([])
        set.markSynced()
        resourceVersion = undefined
        logger.debug(`no ${kind.plural} in this cluster yet`, { apiVersion: kind.apiVersion })
        await clock.sleep(MISSING_KIND_RETRY_MS, signal).catch(() => undefined)
        continue
      }
      if (status === 410) {
        logger.info(`watch of ${kind.plural} is too old, listing again`)
        resourceVersion = undefined
        if (!wasTooOld) {
          wasTooOld = true
          continue
        }
      } else if (status !== undefined) {
        resourceVersion = undefined
        logger.warn(`watching ${kind.plural} failed, trying again: ${messageOf(error)}`)
      } else {
        logger.warn(`watch of ${kind.plural} broke off, trying again: ${messageOf(error)}`)
      }
      await pause()
    }
  }
}

/** A function of its own: what one that waits for a watch has in its variables stays in memory as long as it waits. */
async function listInto<T extends KubeObject>(
  set: ObjectSet<T>,
  { client, kind, signal, ...selection }: WatchObjectsOptions<T>,
  trim: (object: T) => T,
): Promise<string> {
  const { items, resourceVersion } = await client.list<T>(kind, selection, signal, trim)
  set.replace(items)
  set.markSynced()
  return resourceVersion
}

/** Aborts a watch whose connection died without a word: API servers send a bookmark about every minute. */
class Silence implements Disposable {
  readonly #clock: Clock
  readonly #end = new AbortController()
  #timer: Disposable

  constructor(clock: Clock) {
    this.#clock = clock
    this.#timer = this.#arm()
  }

  get signal(): AbortSignal {
    return this.#end.signal
  }

  broken(): void {
    this.#timer[Symbol.dispose]()
    this.#timer = this.#arm()
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]()
  }

  #arm(): Disposable {
    return this.#clock.after(WATCH_SILENCE_MS, () =>
      this.#end.abort(new Error(`nothing heard for ${WATCH_SILENCE_MS} ms`)),
    )
  }
}
