// Proxies as the control plane knows them: real delta clients with a ztunnel's subscriptions.
import { TYPE_URLS } from '../../../packages/api/src/index.ts'
import { silentLogger, systemClock } from '../../../packages/core/src/index.ts'
import { PrometheusMetrics } from '../../../packages/telemetry/src/index.ts'
import { DeltaClient, type ResourceChange, type TypeSubscription } from '../../../packages/xds/src/index.ts'
import { CONTROL_NAMESPACE, NODE_ACCOUNT } from './mesh-objects.ts'
import type { ChangeKind, ProxyToken } from './messages.types.ts'

export interface ProxiesOptions {
  readonly port: number
  readonly rootsPem: string
  readonly tokens: readonly ProxyToken[]
  /** How many of them want everything; the others ask for what they need. */
  readonly wildcard: number
  readonly wanted: (proxy: number) => readonly string[]
}

interface Pending {
  readonly kind: ChangeKind
  readonly atMs: number
  lastMs: number
  receivers: number
}

export interface Pushed {
  readonly responses: number
  readonly resources: number
  readonly bytes: number
}

/** Many proxies in this process, and how long changes took to reach them. */
export class Proxies implements AsyncDisposable {
  readonly #clients: DeltaClient[] = []
  readonly #pending = new Map<string, Pending>()
  /** Arrived before the word that it would. */
  readonly #early = new Map<string, number[]>()
  /** From a write to each proxy that got it and answers, ms, by kind of change. */
  readonly latencies: Map<ChangeKind, number[]> = new Map()
  /** Of each change, to the last proxy that got it. */
  readonly lastLatencies: number[] = []
  #isCounting = false
  #pushed = { responses: 0, resources: 0, bytes: 0 }

  static async start(options: ProxiesOptions): Promise<Proxies> {
    const proxies = new Proxies()
    await Promise.all(options.tokens.map((token, index) => proxies.#connect(options, token, index)))
    return proxies
  }

  get pushed(): Pushed {
    return this.#pushed
  }

  /** From here on what arrives is counted. */
  count(): void {
    this.#isCounting = true
    this.#pushed = { responses: 0, resources: 0, bytes: 0 }
  }

  expect(kind: ChangeKind, resource: string, atMs: number): void {
    this.#close(resource)
    this.#pending.set(resource, { kind, atMs, lastMs: 0, receivers: 0 })
    for (const arrivedMs of this.#early.get(resource) ?? []) if (arrivedMs >= atMs) this.#arrived(resource, arrivedMs)
    this.#early.clear()
  }

  /** How many changes reached nobody. Ends the count. */
  finish(): number {
    this.#isCounting = false
    let unseen = 0
    for (const [resource, { receivers }] of this.#pending) {
      if (receivers === 0) unseen++
      this.#close(resource)
    }
    return unseen
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
  }

  async #connect(options: ProxiesOptions, { token, pod, node }: ProxyToken, index: number): Promise<void> {
    const wildcard = index < options.wildcard
    const client = new DeltaClient(
      { clock: systemClock, logger: silentLogger, metrics: new PrometheusMetrics() },
      {
        address: `127.0.0.1:${options.port}`,
        root: { pem: options.rootsPem },
        token: { token },
        altHostname: `istiod.${CONTROL_NAMESPACE}.svc`,
        node: {
          id: `ztunnel~10.0.0.1~${pod}.${CONTROL_NAMESPACE}~${CONTROL_NAMESPACE}.svc.cluster.local`,
          metadata: { NAMESPACE: CONTROL_NAMESPACE, SERVICE_ACCOUNT: NODE_ACCOUNT, NODE_NAME: node },
        },
        types: [
          this.#subscription(TYPE_URLS.address, wildcard ? 'wildcard' : 'on-demand'),
          this.#subscription(TYPE_URLS.authorization, 'wildcard'),
        ],
      },
    )
    this.#clients.push(client)
    client.start()
    await client.synced
    if (!wildcard) await Promise.all(options.wanted(index).map((name) => client.demand(TYPE_URLS.address, name)))
  }

  #subscription(typeUrl: string, mode: TypeSubscription['mode']): TypeSubscription {
    return {
      typeUrl,
      mode,
      apply: (change) => {
        if (this.#isCounting) this.#note(change)
        return []
      },
    }
  }

  #note({ upserts, removed }: ResourceChange): void {
    const nowMs = performance.timeOrigin + performance.now()
    this.#pushed.responses++
    this.#pushed.resources += upserts.length + removed.length
    for (const { name, bytes } of upserts) {
      this.#pushed.bytes += bytes.length + name.length
      this.#arrived(name, nowMs)
    }
    for (const name of removed) {
      this.#pushed.bytes += name.length
      this.#arrived(name, nowMs)
    }
  }

  #arrived(resource: string, nowMs: number): void {
    const pending = this.#pending.get(resource)
    if (pending === undefined) {
      this.#early.getOrInsertComputed(resource, () => []).push(nowMs)
      return
    }
    pending.receivers++
    pending.lastMs = nowMs
    this.latencies.getOrInsertComputed(pending.kind, () => []).push(nowMs - pending.atMs)
  }

  #close(resource: string): void {
    const pending = this.#pending.get(resource)
    if (pending === undefined) return
    this.#pending.delete(resource)
    if (pending.receivers > 0) this.lastLatencies.push(pending.lastMs - pending.atMs)
  }
}
