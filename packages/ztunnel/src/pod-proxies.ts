import type { Clock, Counter, Gauge, Logger, Metrics } from '@ambit/core'
import { messageOf } from '@ambit/core'
import type { WorkloadInfo } from './config.types.ts'
import { MAX_PODS, PENDING_POD_RETRY_MS, STOP_DEADLINE_MS } from './limits.ts'
import type { PodProxy } from './pod-proxy.ts'

/** What this table needs of a network namespace. */
export interface PodNetns extends Disposable {
  readonly id: string
}

export interface PodProxiesComponents {
  /** Opens all listeners of a pod, or none. Does not take the namespace over. */
  readonly start: (uid: string, workload: WorkloadInfo, netns: PodNetns) => Promise<PodProxy>
  readonly metrics: Metrics
  readonly clock: Clock
  readonly logger: Logger
  /** Told whenever readiness may have changed. */
  readonly onReady: (ready: boolean) => void
}

interface Running {
  readonly workload: WorkloadInfo
  readonly netns: PodNetns
  readonly proxy: PodProxy
}

interface Pending {
  readonly workload: WorkloadInfo
  readonly netns: PodNetns
  reason: string
}

/** The proxies of this node's pods: which run, which wait to be started, what the current snapshot named. */
export class PodProxies {
  readonly #components: PodProxiesComponents
  readonly #running = new Map<string, Running>()
  readonly #pending = new Map<string, Pending>()
  readonly #counts: ProxyCounts
  /** Serialises starts and stops: the agent sends one request at a time, yet retries run by the clock. */
  #work: Promise<unknown> = Promise.resolve()
  #named = new Set<string>()
  #snapshotDone = false
  #retry: Disposable | undefined
  #closed = false

  constructor(components: PodProxiesComponents) {
    this.#components = components
    this.#counts = new ProxyCounts(components.metrics)
  }

  /** A new connection of the agent: it will name all pods again. Running proxies stay. */
  beginSnapshot(): void {
    this.#snapshotDone = false
    this.#named = new Set()
    for (const uid of [...this.#pending.keys()]) this.#dropPending(uid)
    this.#report()
  }

  disconnected(): void {
    this.#snapshotDone = false
    this.#report()
  }

  /** Answers the reason when the proxy could not be started; then it is tried again every few seconds. Takes the namespace over. */
  async add(uid: string, workload: WorkloadInfo, netns: PodNetns): Promise<string | undefined> {
    return await this.#serially(async () => {
      if (!this.#snapshotDone) this.#named.add(uid)
      const running = this.#running.get(uid)
      if (running !== undefined && running.netns.id === netns.id) {
        netns[Symbol.dispose]()
        return undefined
      }
      if (running !== undefined) await this.#stop(uid, running)
      this.#dropPending(uid)
      return await this.#start(uid, workload, netns)
    })
  }

  keep(uid: string): void {
    this.#named.add(uid)
  }

  /** Before the end of a snapshot the proxy itself goes with the snapshot; afterwards at once. */
  async remove(uid: string): Promise<void> {
    await this.#serially(async () => {
      this.#named.delete(uid)
      this.#dropPending(uid)
      const running = this.#running.get(uid)
      if (running !== undefined && this.#snapshotDone) await this.#stop(uid, running)
      this.#report()
    })
  }

  async snapshotSent(): Promise<void> {
    await this.#serially(async () => {
      for (const [uid, running] of [...this.#running]) if (!this.#named.has(uid)) await this.#stop(uid, running)
      // One whose retry was under way when the snapshot began and failed after.
      for (const uid of [...this.#pending.keys()]) if (!this.#named.has(uid)) this.#dropPending(uid)
      this.#snapshotDone = true
      this.#named = new Set()
      this.#report()
    })
  }

  /** Ends listeners at once and connections at the deadline. */
  async drain(deadlineMs: number): Promise<void> {
    this.#closed = true
    this.#retry?.[Symbol.dispose]()
    await this.#serially(async () => {
      for (const uid of [...this.#pending.keys()]) this.#dropPending(uid)
      await Promise.all(
        Array.from(this.#running, async ([uid, running]) => {
          await running.proxy.drain(deadlineMs)
          await this.#stop(uid, running)
        }),
      )
    })
  }

  /** Every running proxy, for policy changes. */
  *proxies(): IterableIterator<PodProxy> {
    for (const { proxy } of this.#running.values()) yield proxy
  }

  /** `workloadState` of /config_dump. */
  dump(): Record<string, object> {
    const state: Record<string, object> = {}
    for (const [uid, { workload, reason }] of this.#pending) {
      state[uid] = { state: 'Pending', info: { ...workload }, reason, connections: { inbound: [], outbound: [] } }
    }
    for (const [uid, { workload, proxy }] of this.#running) {
      state[uid] = { state: 'Up', info: { ...workload }, connections: proxy.connections.dump() }
    }
    return state
  }

  async #start(uid: string, workload: WorkloadInfo, netns: PodNetns): Promise<string | undefined> {
    try {
      if (this.#closed) throw new Error('ztunnel is shutting down')
      if (this.#running.size >= MAX_PODS) throw new Error(`more than ${MAX_PODS} pods on this node`)
      const proxy = await this.#components.start(uid, workload, netns)
      this.#running.set(uid, { workload, netns, proxy })
      this.#counts.started.add({})
      return undefined
    } catch (error) {
      const reason = messageOf(error)
      this.#components.logger.error('proxy of a pod could not be started; trying again', {
        uid,
        pod: `${workload.namespace}/${workload.name}`,
        error: reason,
        retryMs: PENDING_POD_RETRY_MS,
      })
      this.#pending.set(uid, { workload, netns, reason })
      this.#scheduleRetry()
      return reason
    } finally {
      this.#report()
    }
  }

  async #stop(uid: string, running: Running): Promise<void> {
    this.#running.delete(uid)
    this.#counts.stopped.add({})
    const closed = running.proxy.close().finally(() => {
      running.netns[Symbol.dispose]()
      this.#report()
    })
    const late = Promise.withResolvers<'late'>()
    using _timer = this.#components.clock.after(STOP_DEADLINE_MS, () => late.resolve('late'))
    if ((await Promise.race([closed, late.promise])) !== 'late') return
    // Its listeners are closed and its connections cut. Waiting longer would hold up every other pod of the node.
    closed.catch(() => undefined)
    this.#components.logger.error('proxy of a removed pod has not ended; going on without it', {
      uid,
      afterMs: STOP_DEADLINE_MS,
    })
  }

  #dropPending(uid: string): void {
    this.#pending.get(uid)?.netns[Symbol.dispose]()
    this.#pending.delete(uid)
  }

  #scheduleRetry(): void {
    if (this.#retry !== undefined || this.#closed) return
    this.#retry = this.#components.clock.after(PENDING_POD_RETRY_MS, () => {
      this.#retry = undefined
      void this.#serially(async () => {
        for (const [uid, pending] of [...this.#pending]) {
          // A new snapshot may have closed its namespace while another pod was being started.
          if (this.#pending.get(uid) !== pending) continue
          this.#pending.delete(uid)
          await this.#start(uid, pending.workload, pending.netns)
        }
      })
    })
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work, work)
    this.#work = done.catch(() => undefined)
    return done
  }

  #report(): void {
    this.#counts.active.set({}, this.#running.size)
    this.#counts.pending.set({}, this.#pending.size)
    this.#components.onReady(this.#snapshotDone && this.#pending.size === 0)
  }
}

class ProxyCounts {
  readonly active: Gauge
  readonly pending: Gauge
  readonly started: Counter
  readonly stopped: Counter

  constructor(metrics: Metrics) {
    this.active = metrics.gauge({ name: 'workload_manager_active_proxy_count', help: 'Pods with a running proxy' })
    this.pending = metrics.gauge({
      name: 'workload_manager_pending_proxy_count',
      help: 'Pods whose proxy could not be started yet',
    })
    this.started = metrics.counter({ name: 'workload_manager_proxies_started', help: 'Proxies of pods started' })
    this.stopped = metrics.counter({ name: 'workload_manager_proxies_stopped', help: 'Proxies of pods stopped' })
  }
}
