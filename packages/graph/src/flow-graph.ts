import type { Flow } from '@ambit/flow'
import { EdgeTally } from './edge-tally.ts'
import type { GraphView } from './graph.types.ts'
import { type Leg, legsOf } from './legs.ts'
import { MAX_GRAPH_EDGES, MAX_OPEN_FLOWS, MAX_REMEMBERED_FLOWS } from './limits.ts'
import { type PlacedTally, viewOf } from './view-of.ts'

interface LiveFlow {
  readonly flow: Flow
  readonly legs: readonly Leg[]
}

/** Adds up what proxies tell, in whatever order they do: a flow told of again replaces what it said before. */
export class FlowGraph {
  /** What has ended, by edge. */
  readonly #ended = new Map<string, PlacedTally>()
  readonly #live = new Map<string, LiveFlow>()
  readonly #counted = new Set<string>()
  readonly #waypoints = new Set<string>()
  readonly #gateways = new Set<string>()

  add(flow: Flow): void {
    if (this.#counted.has(flow.id)) return
    const known = this.#live.get(flow.id)
    if (flow.state === 'open') {
      const isNews = known === undefined ? this.#live.size < MAX_OPEN_FLOWS : known.flow.at <= flow.at
      if (isNews) this.#live.set(flow.id, { flow, legs: legsOf(flow) })
      return
    }
    this.#live.delete(flow.id)
    this.#remember(flow.id)
    this.#name(flow)
    for (const leg of legsOf(flow)) place(this.#ended, flow, leg)
    if (this.#ended.size > MAX_GRAPH_EDGES) this.#forgetOldest()
  }

  /** What a proxy told of as open may have ended since; what has not it tells again. */
  forget(pod: string): void {
    for (const [id, { flow }] of this.#live) if (flow.reporter.pod === pod) this.#live.delete(id)
  }

  /** Takes no part any more, as if it had not been told of; what has ended stays. */
  drop(id: string): void {
    this.#live.delete(id)
  }

  view(atMs: number): GraphView {
    const edges = new Map<string, PlacedTally>()
    for (const [key, { from, to, tally }] of this.#ended) {
      const copy = new EdgeTally(tally.last)
      copy.merge(tally)
      edges.set(key, { from, to, tally: copy })
    }
    for (const { flow, legs } of this.#live.values()) {
      this.#name(flow)
      for (const leg of legs) place(edges, flow, leg)
    }
    return viewOf(edges.values(), { atMs, waypoints: this.#waypoints, gateways: this.#gateways })
  }

  /** Notes which workloads are no applications. */
  #name({ waypoint, reporter }: Flow): void {
    if (waypoint !== undefined) addName(this.#waypoints, waypoint)
    if (reporter.gateway !== undefined)
      addName(reporter.kind === 'gateway' ? this.#gateways : this.#waypoints, reporter.gateway)
  }

  #remember(id: string): void {
    this.#counted.add(id)
    if (this.#counted.size <= MAX_REMEMBERED_FLOWS) return
    for (const oldest of this.#counted) {
      this.#counted.delete(oldest)
      return
    }
  }

  #forgetOldest(): void {
    let oldest: [key: string, at: string] | undefined
    for (const [key, { tally }] of this.#ended)
      if (oldest === undefined || tally.last.at < oldest[1]) oldest = [key, tally.last.at]
    if (oldest !== undefined) this.#ended.delete(oldest[0])
  }
}

/** The graph of flows that are all there. */
export function graphOf(flows: Iterable<Flow>, atMs: number): GraphView {
  const graph = new FlowGraph()
  for (const flow of flows) graph.add(flow)
  return graph.view(atMs)
}

function addName(names: Set<string>, name: string): void {
  if (names.size < MAX_GRAPH_EDGES) names.add(name)
}

function place(edges: Map<string, PlacedTally>, flow: Flow, leg: Leg): void {
  const { from, to } = leg
  const key = `${from.id}>${to.id}`
  const placed = edges.get(key) ?? { from, to, tally: new EdgeTally(flow) }
  edges.set(key, placed)
  placed.tally.add(flow, leg)
}
