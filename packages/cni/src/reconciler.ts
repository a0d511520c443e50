import { ANNOTATIONS } from '@ambit/api'
import { AmbitError, type Clock, type Counter, type Ip, type Logger, messageOf } from '@ambit/core'
import type { Netns } from '@ambit/linux'
import type { ClusterView } from './cluster.types.ts'
import type { Enroller } from './enroller.ts'
import { type EnrollmentRules, enrollment, isTerminal } from './enrollment.ts'
import { KeyedLock } from './keyed-lock.ts'
import { RECONCILE_CONCURRENCY, SPARE_NETNS_MS, UNLISTED_POD_GRACE_MS } from './limits.ts'
import type { NetnsFinder } from './netns-finder.ts'
import { type PodFacts, podKey } from './pod-facts.ts'
import type { PodNetnsCache } from './pod-netns-cache.ts'

/** A running pod that should be enrolled has no namespace to be found, yet or for good. */
export class NetnsNotFoundError extends AmbitError {
  override readonly code = 'NETNS_NOT_FOUND'
}

/** The watch of namespaces lags behind the watch of pods. */
export class NamespaceUnknownError extends AmbitError {
  override readonly code = 'NAMESPACE_UNKNOWN'
}

export interface ReconcilerComponents {
  readonly view: ClusterView
  readonly cache: PodNetnsCache
  readonly enroller: Enroller
  readonly finder: Pick<NetnsFinder, 'find'>
  readonly clock: Clock
  readonly logger: Logger
  readonly events: Counter
}

/** Brings pods to the state their labels ask for. */
export class Reconciler {
  readonly #components: ReconcilerComponents
  readonly #rules: EnrollmentRules
  readonly #locks = new KeyedLock()
  readonly #unlistedSince = new Map<string, number>()
  readonly #gone = new Set<string>()
  /** Namespaces found along with another pod's, for whoever asks soon. */
  readonly #spare = new Map<string, Netns>()
  #leaving = false

  constructor(components: ReconcilerComponents, rules: EnrollmentRules) {
    this.#components = components
    this.#rules = rules
  }

  /** Takes over the pods an earlier agent enrolled; to be awaited before any ztunnel hears a snapshot. */
  async adoptEnrolled(reconcileRules: boolean): Promise<void> {
    const { view, finder, enroller } = this.#components
    const enrolled = view.pods().filter((pod) => annotation(pod) === 'enabled' && this.#decide(pod) !== false)
    const found = finder.find(enrolled)
    const left = [...enrolled]
    const worker = async (): Promise<void> => {
      for (let pod = left.pop(); pod !== undefined; pod = left.pop()) {
        this.#count('adopt')
        await enroller.adopt(pod, found.get(pod.uid), reconcileRules)
      }
    }
    await Promise.all(Array.from({ length: RECONCILE_CONCURRENCY }, worker))
  }

  /** Compares the pod with what is wanted and acts; throws when it should be tried again. */
  reconcile(uid: string): Promise<void> {
    return this.#locks.run(uid, () => this.#reconcileNow(uid))
  }

  /** The API server said that the pod is gone; the next `reconcile` lets it go. */
  markGone(uid: string): void {
    this.#gone.add(uid)
  }

  /** Enrols a pod whose sandbox is being made. Takes ownership of the namespace handle. */
  addNew(pod: PodFacts, netns: Netns, ips: readonly Ip[]): Promise<void> {
    this.#count('add')
    return this.#locks.run(pod.uid, () => this.#components.enroller.add(pod, netns, ips))
  }

  /** The node leaves the mesh for good: every pod goes on in plain text, and none is enrolled any more. */
  async releaseAll(): Promise<void> {
    this.#leaving = true
    const { view, cache, enroller, logger } = this.#components
    const left = cache.values().map(({ pod }) => pod.uid)
    const worker = async (): Promise<void> => {
      for (let uid = left.pop(); uid !== undefined; uid = left.pop()) {
        const pod = view.pod(uid)
        if (pod === undefined) continue
        this.#count('remove')
        try {
          await this.#locks.run(uid, () =>
            enroller.remove(pod, cache.get(uid)?.netns === undefined ? this.#find(pod) : undefined),
          )
        } catch (error) {
          logger.error('a pod could not be let go; restart it to give it its network back', {
            pod: podKey(pod),
            error: messageOf(error),
          })
        }
      }
    }
    await Promise.all(Array.from({ length: RECONCILE_CONCURRENCY }, worker))
  }

  async #reconcileNow(uid: string): Promise<void> {
    if (this.#leaving) return
    const { view, enroller, cache } = this.#components
    const pod = view.pod(uid)
    if (pod === undefined) return await this.#unlisted(uid)
    this.#unlistedSince.delete(uid)
    if (isTerminal(pod)) {
      if (cache.get(uid) !== undefined) await this.#forget(uid)
      return
    }
    const served = cache.get(uid) !== undefined
    if (this.#wanted(pod)) {
      if (!enroller.isComplete(uid)) await this.#enroll(pod)
    } else if (served || annotation(pod) !== undefined) {
      this.#count('remove')
      await enroller.remove(pod, cache.get(uid)?.netns === undefined ? this.#find(pod) : undefined)
    }
  }

  async #enroll(pod: PodFacts): Promise<void> {
    const { cache, enroller } = this.#components
    // Without an address the sandbox is still being made, and the CNI plugin will ask for it.
    if (pod.ips.length === 0) return
    const held = cache.get(pod.uid)?.netns
    const netns = held ?? this.#find(pod)
    if (netns === undefined) {
      throw new NetnsNotFoundError(
        `no network namespace owns ${pod.ips.join(', ')} of ${podKey(pod)}; is the runtime's netns folder mounted?`,
      )
    }
    this.#count('add')
    await enroller.add(pod, netns)
  }

  /** A pod the plugin brought may not be listed yet; one that stays unlisted was deleted unseen. */
  async #unlisted(uid: string): Promise<void> {
    const { cache, clock } = this.#components
    if (this.#gone.has(uid)) return await this.#forget(uid)
    if (cache.get(uid) === undefined) {
      this.#unlistedSince.delete(uid)
      return
    }
    const since = this.#unlistedSince.get(uid) ?? clock.monotonic()
    this.#unlistedSince.set(uid, since)
    if (clock.monotonic() - since < UNLISTED_POD_GRACE_MS) return
    await this.#forget(uid)
  }

  async #forget(uid: string): Promise<void> {
    this.#unlistedSince.delete(uid)
    this.#count('delete')
    await this.#components.enroller.forget(uid)
    this.#gone.delete(uid)
  }

  #wanted(pod: PodFacts): boolean {
    const decision = this.#decide(pod)
    if (decision !== undefined) return decision
    throw new NamespaceUnknownError(`namespace ${pod.namespace} of ${podKey(pod)} is not known yet`)
  }

  #decide(pod: PodFacts): boolean | undefined {
    const { view, logger } = this.#components
    const namespace = view.namespace(pod.namespace)
    if (namespace === undefined) return undefined
    const { enrolled, reason } = enrollment(pod, namespace, this.#rules)
    logger.debug('enrollment decided', { pod: podKey(pod), enrolled, reason })
    return enrolled
  }

  /**
   * The caller owns the handle. One pass over the node's processes finds the namespaces of all pods that are about to be
   * enrolled: a label on a namespace brings many at once.
   */
  #find(pod: PodFacts): Netns | undefined {
    const { view, cache, finder } = this.#components
    if (!this.#spare.has(pod.uid)) {
      const soon = view
        .pods()
        .filter((other) => !this.#spare.has(other.uid) && cache.get(other.uid) === undefined && !isTerminal(other))
        .filter((other) => other.uid !== pod.uid && this.#decide(other) === true)
      for (const [uid, netns] of finder.find([pod, ...soon])) this.#spare.set(uid, netns)
      if (this.#spare.size > 1) this.#components.clock.after(SPARE_NETNS_MS, () => this.#dropSpare())
    }
    const netns = this.#spare.get(pod.uid)
    this.#spare.delete(pod.uid)
    return netns
  }

  #dropSpare(): void {
    for (const netns of this.#spare.values()) netns[Symbol.dispose]()
    this.#spare.clear()
  }

  #count(type: string): void {
    this.#components.events.add({ type })
  }
}

function annotation(pod: PodFacts): string | undefined {
  return pod.annotations.get(ANNOTATIONS.redirection)
}
