import { isDeepStrictEqual } from 'node:util'
import { Backoff, type Clock, type Logger, messageOf } from '@ambit/core'
import { statusOf } from './errors.ts'
import type { KubeClient } from './kube-client.ts'
import { MAX_PENDING_STATUS, STATUS_BACKOFF, STATUS_CONCURRENCY } from './limits.ts'
import type { KubeObject, ResourceKind } from './object.types.ts'

export interface StatusWrite {
  readonly kind: ResourceKind
  readonly namespace?: string | undefined
  readonly name: string
  readonly fieldManager: string
  /** Of the object that is meant: another of the same name is owed a status of its own. */
  readonly uid?: string | undefined
  /** Exactly the fields of `status` this manager owns; what it leaves out is removed from its ownership. */
  readonly status: Readonly<Record<string, unknown>>
}

interface Pending {
  readonly write: StatusWrite
  readonly backoff: Backoff
}

/**
 * Writes status by server-side apply, off the hot path: the latest wish per object and manager wins, equal wishes are
 * written once, failures are retried later without holding up other objects.
 */
export class StatusWriter implements Disposable {
  readonly #client: Pick<KubeClient, 'serverSideApply'>
  readonly #clock: Clock
  readonly #logger: Logger
  /** The latest wish per object and manager, written or not. */
  readonly #wishes = new Map<string, StatusWrite>()
  readonly #pending = new Map<string, Pending>()
  readonly #inFlight = new Set<string>()
  readonly #end = new AbortController()
  #idle = Promise.withResolvers<void>()

  constructor(components: {
    readonly client: Pick<KubeClient, 'serverSideApply'>
    readonly clock: Clock
    readonly logger: Logger
  }) {
    this.#client = components.client
    this.#clock = components.clock
    this.#logger = components.logger
  }

  write(write: StatusWrite): void {
    const key = keyOf(write)
    const last = this.#wishes.get(key)
    if (this.#end.signal.aborted || (last?.uid === write.uid && isDeepStrictEqual(last?.status, write.status))) return
    this.#wishes.set(key, write)
    this.#enqueue(key, { write, backoff: new Backoff(STATUS_BACKOFF) })
  }

  /** The object is gone: nothing is owed to a later one of the same name. */
  forget(write: Pick<StatusWrite, 'kind' | 'namespace' | 'name' | 'fieldManager'>): void {
    this.#wishes.delete(keyOf(write))
    this.#pending.delete(keyOf(write))
  }

  /** Resolves when nothing is waiting or in flight; writes that wait for another try are not counted. */
  async settled(): Promise<void> {
    while (this.#inFlight.size > 0 || this.#pending.size > 0) await this.#idle.promise
  }

  [Symbol.dispose](): void {
    this.#end.abort()
    this.#pending.clear()
    this.#idle.resolve()
  }

  #enqueue(key: string, pending: Pending): void {
    this.#pending.delete(key)
    this.#pending.set(key, pending)
    const [oldest] = this.#pending.keys()
    if (this.#pending.size > MAX_PENDING_STATUS && oldest !== undefined) {
      this.#pending.delete(oldest)
      this.#wishes.delete(oldest)
    }
    this.#pump()
  }

  #pump(): void {
    for (const [key, pending] of this.#pending) {
      if (this.#inFlight.size >= STATUS_CONCURRENCY) return
      // One write per object at a time, so that an older wish can not land after a newer one.
      if (this.#inFlight.has(key)) continue
      this.#pending.delete(key)
      this.#inFlight.add(key)
      void this.#apply(key, pending).finally(() => {
        this.#inFlight.delete(key)
        this.#pump()
      })
    }
    if (this.#inFlight.size > 0 || this.#pending.size > 0) return
    this.#idle.resolve()
    this.#idle = Promise.withResolvers<void>()
  }

  async #apply(key: string, pending: Pending): Promise<void> {
    const { kind, namespace, name, fieldManager, status } = pending.write
    const object: KubeObject & { readonly status: unknown } = {
      apiVersion: kind.apiVersion,
      kind: kind.kind,
      metadata: namespace === undefined ? { name } : { namespace, name },
      status,
    }
    try {
      const options = { fieldManager, force: true, subresource: 'status', signal: this.#end.signal }
      await this.#client.serverSideApply(kind, object, options)
    } catch (error) {
      // 404: the object went away meanwhile.
      if (this.#end.signal.aborted || statusOf(error) === 404) return
      this.#logger.warn(`status not written, trying again: ${messageOf(error)}`, { object: key })
      this.#clock.after(pending.backoff.next(), () => {
        if (!this.#end.signal.aborted && this.#wishes.get(key) === pending.write) this.#enqueue(key, pending)
      })
    }
  }
}

function keyOf(write: Pick<StatusWrite, 'kind' | 'namespace' | 'name' | 'fieldManager'>): string {
  return `${write.kind.plural}/${write.namespace ?? ''}/${write.name}/${write.fieldManager}`
}
