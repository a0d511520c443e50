import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '@ambit/core'
import type { Cluster } from '../cluster/cluster.types.ts'
import { FLOW_PROXIES_POLL_MS } from '../limits.ts'
import { type FlowProxy, findFlowProxies } from './flow-proxies.ts'
import type { FlowUpdate, FollowFlowsOptions } from './follow-flows.types.ts'
import { followProxy } from './follow-proxy.ts'
import { UpdateQueue } from './update-queue.ts'

/**
 * What all proxies of a cluster tell together: each is asked through a port forward of its own, at the same time. While watching, proxies
 * that start later are followed too. Ends with the signal, or when all was told; fails only where no proxy can be looked for.
 */
export async function* followFlows(cluster: Cluster, options: FollowFlowsOptions): AsyncGenerator<FlowUpdate> {
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const queue = new UpdateQueue<FlowUpdate>()
  const running = new Followed(cluster, { ...options, signal }, queue)
  try {
    await running.refresh()
    void running.untilDone().then(
      () => queue.end(),
      () => queue.end(),
    )
    yield* queue
  } finally {
    stop.abort()
    queue.end()
  }
}

/** The proxies that are followed now. */
class Followed {
  readonly #cluster: Cluster
  readonly #options: FollowFlowsOptions
  readonly #queue: UpdateQueue<FlowUpdate>
  readonly #query: URLSearchParams
  readonly #proxies = new Map<string, { readonly proxy: FlowProxy; readonly stop: AbortController }>()
  readonly #running = new Set<Promise<void>>()
  #gaps: ReadonlySet<string> = new Set()

  constructor(cluster: Cluster, options: FollowFlowsOptions, queue: UpdateQueue<FlowUpdate>) {
    this.#cluster = cluster
    this.#options = options
    this.#queue = queue
    this.#query = new URLSearchParams()
    for (const namespace of options.namespaces ?? []) this.#query.append('namespace', namespace)
    if (options.since !== undefined) this.#query.set('since', options.since)
  }

  /** Looks which proxies there are: begins with new ones, lets go of those that are gone. */
  async refresh(): Promise<void> {
    const { proxies, gaps } = await findFlowProxies(this.#cluster, this.#options)
    for (const gap of gaps) if (!this.#gaps.has(gap)) this.#tell({ gap })
    this.#gaps = new Set(gaps)
    this.#options.states?.general(gaps)
    const there = new Set(proxies.map(({ uid }) => uid))
    for (const [uid, { proxy, stop }] of this.#proxies) {
      if (there.has(uid)) continue
      this.#proxies.delete(uid)
      stop.abort()
      const pod = `${proxy.namespace}/${proxy.pod}`
      this.#tell({ gap: `${pod}: it is gone`, pod, isGone: true })
      this.#options.states?.gone(pod)
    }
    for (const proxy of proxies) if (!this.#proxies.has(proxy.uid)) this.#begin(proxy)
  }

  async untilDone(): Promise<void> {
    const { watch, signal } = this.#options
    while (watch && !signal.aborted) {
      await delay(FLOW_PROXIES_POLL_MS, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) break
      await this.refresh().catch((error: unknown) => {
        const gap = `it is not known whether there are new proxies: ${messageOf(error)}`
        if (!this.#gaps.has(gap)) this.#tell({ gap })
        this.#gaps = new Set([gap])
        this.#options.states?.general([gap])
      })
    }
    await Promise.all(this.#running)
  }

  #begin(proxy: FlowProxy): void {
    const stop = new AbortController()
    this.#proxies.set(proxy.uid, { proxy, stop })
    const signal = AbortSignal.any([this.#options.signal, stop.signal])
    const run = this.#run(proxy, signal).finally(() => this.#running.delete(run))
    this.#running.add(run)
  }

  async #run(proxy: FlowProxy, signal: AbortSignal): Promise<void> {
    const updates = followProxy(this.#cluster, proxy, {
      watch: this.#options.watch,
      query: this.#query,
      reached: this.#options.states === undefined ? undefined : (pod) => this.#options.states?.reached(pod),
      signal,
      sleep: (ms, until) => delay(ms, undefined, { signal: until }),
    })
    for await (const update of updates) {
      if (signal.aborted) return
      await this.#queue.push(update)
    }
  }

  #tell(update: FlowUpdate): void {
    void this.#queue.push(update)
  }
}
