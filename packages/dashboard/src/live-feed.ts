import { type Clock, type Closable, messageOf } from '@ambit/core'
import type { Explanation, Question } from '@ambit/explain'
import type { Flow, FlowRequest } from '@ambit/flow'
import { edgeIdsOf, type GraphEdge, type GraphView } from '@ambit/graph'
import { DenialLog } from './denial-log.ts'
import { EdgeTimeline, type Totals } from './edge-history.ts'
import type { DashboardFeed } from './feed.types.ts'
import { TICK_MS } from './limits.ts'
import { questionOf } from './question-of-edge.ts'
import type { EdgeDetail, Greeting, Topology } from './topology.types.ts'
import { topologyOf } from './topology-of-graph.ts'

/** A graph that is made of flows; the one of `@ambit/graph`. */
export interface FlowSum {
  add(flow: Flow): void
  forget(pod: string): void
  view(atMs: number): GraphView
}

export interface LiveFeedComponents {
  readonly graph: FlowSum
  readonly clock: Clock
  readonly explain: (question: Question, signal: AbortSignal) => Promise<Explanation>
}

/** What proxies tell until now is not traffic of now: they begin with what they remember. */
const WARM_UP_MS = 3_000

/** Makes of flows what the page shows. */
export class LiveFeed implements DashboardFeed, Closable {
  readonly greeting: Greeting
  readonly #components: LiveFeedComponents
  readonly #timelines = new Map<string, EdgeTimeline>()
  /** By the edges that flows are about; what the view shows as one edge may be several of them. */
  readonly #denials = new DenialLog()
  readonly #requests = new Map<string, FlowRequest>()
  #partsOf: ReadonlyMap<string, ReadonlySet<string>> = new Map()
  readonly #reached = new Set<string>()
  /** Of proxies, by pod. */
  readonly #problems = new Map<string, string>()
  #generalProblems: readonly string[] = []
  readonly #startedMs: number
  #lost: { readonly since: string; readonly reason: string } | undefined
  #view: GraphView
  #tick: Disposable | undefined

  constructor(components: LiveFeedComponents, greeting: Greeting) {
    this.#components = components
    this.greeting = greeting
    this.#startedMs = components.clock.now()
    this.#view = components.graph.view(this.#startedMs)
    this.#look()
    this.#schedule()
  }

  /** A flow as one proxy told it. */
  take(flow: Flow): void {
    this.#components.graph.add(flow)
    for (const edge of edgeIdsOf(flow)) {
      if (flow.request !== undefined) this.#requests.set(edge, flow.request)
      if (flow.state === 'denied') this.#denials.add(edge, flow)
    }
  }

  /** A proxy can't be asked, or told more than was read: what it told of as open may have ended. */
  missing(text: string, pod: string): void {
    this.#problems.set(pod, text)
    this.#reached.delete(pod)
    this.#components.graph.forget(pod)
  }

  /** A proxy answers, for the first time or again. */
  reached(pod: string): void {
    this.#reached.add(pod)
    this.#problems.delete(pod)
  }

  /** A proxy is no more. */
  gone(pod: string): void {
    this.#reached.delete(pod)
    this.#problems.delete(pod)
    this.#components.graph.forget(pod)
  }

  /** What is missing for no proxy in particular: all of it. */
  general(problems: readonly string[]): void {
    this.#generalProblems = problems
  }

  /** Whether the cluster answers. */
  tellCluster(error: unknown): void {
    if (error === undefined) this.#lost = undefined
    else this.#lost ??= { since: new Date(this.#components.clock.now()).toISOString(), reason: messageOf(error) }
  }

  topology(): Topology {
    const nowMs = this.#components.clock.now()
    return topologyOf(this.#view, {
      namespace: this.greeting.namespace,
      health: {
        proxies: this.#reached.size,
        // Without the cluster everything is missing: that is said once.
        problems: this.#lost === undefined ? [...this.#generalProblems, ...this.#problems.values()] : [],
        lost: this.#lost,
      },
      ratesOf: ({ id }) => this.#timeline(id).rates(nowMs),
    })
  }

  edge(id: string): EdgeDetail | undefined {
    const edge = this.#view.edges.find((one) => one.id === id)
    if (edge === undefined) return undefined
    const parts = [...(this.#partsOf.get(id) ?? [])]
    const asked = edge.lastDenied ?? edge.last
    const request = parts.map((part) => this.#requests.get(part)).find((one) => one !== undefined)
    return {
      id,
      waypoints: edge.waypoints,
      clientIdentities: edge.clientIdentities,
      serverIdentities: edge.serverIdentities,
      history: this.#timeline(id).history(this.#components.clock.now()),
      denials: this.#denials.of(parts),
      question: questionOf(asked, asked.request ?? request, edge.clientIdentities),
    }
  }

  async explain(question: Question, signal: AbortSignal): Promise<Explanation> {
    return await this.#components.explain(question, signal)
  }

  async close(): Promise<void> {
    this.#tick?.[Symbol.dispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #schedule(): void {
    this.#tick = this.#components.clock.after(TICK_MS, () => {
      this.#look()
      this.#schedule()
    })
  }

  #look(): void {
    const nowMs = this.#components.clock.now()
    const isWarmingUp = nowMs - this.#startedMs < WARM_UP_MS
    this.#view = this.#components.graph.view(nowMs)
    this.#partsOf = new Map(this.#view.edges.map((edge) => [edge.id, partsOf(edge)]))
    for (const edge of this.#view.edges) {
      const timeline = this.#timeline(edge.id)
      if (isWarmingUp) timeline.begin(totalsOf(edge))
      else timeline.add(totalsOf(edge), nowMs)
      for (const atMs of this.#denials.takeNew(this.#partsOf.get(edge.id) ?? [])) timeline.addDenial(atMs, nowMs)
    }
    this.#forgetWhatIsGone()
  }

  #forgetWhatIsGone(): void {
    for (const id of this.#timelines.keys()) if (!this.#partsOf.has(id)) this.#timelines.delete(id)
    const parts = new Set([...this.#partsOf.values()].flatMap((own) => [...own]))
    for (const part of this.#requests.keys()) if (!parts.has(part)) this.#requests.delete(part)
    this.#denials.keep(parts)
  }

  #timeline(id: string): EdgeTimeline {
    return this.#timelines.getOrInsertComputed(id, () => new EdgeTimeline())
  }
}

/** What is shown as this edge. */
function partsOf({ id, last, lastDenied }: GraphEdge): ReadonlySet<string> {
  return new Set([id, ...edgeIdsOf(last), ...(lastDenied === undefined ? [] : edgeIdsOf(lastDenied))])
}

function totalsOf({ requests, connections, bytesFromClient, bytesToClient, failed }: GraphEdge): Totals {
  return { events: requests > 0 ? requests : connections, bytes: bytesFromClient + bytesToClient, failed }
}
