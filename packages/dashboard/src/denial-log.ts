import type { Flow } from '@ambit/flow'
import { MAX_DENIALS, MAX_DENIALS_PER_EDGE, MAX_SEEN_DENIALS } from './limits.ts'
import type { Denial } from './topology.types.ts'

/** The last denials by edge; what is refused over and over for the same reason is one of them. */
export class DenialLog {
  readonly #byEdge = new Map<string, Denial[]>()
  /** Times of those nobody has taken yet. */
  readonly #news = new Map<string, number[]>()
  readonly #seen = new Set<string>()
  #count = 0

  add(edge: string, flow: Flow): void {
    if (this.#seen.has(flow.id)) return
    this.#remember(flow.id)
    const news = this.#news.getOrInsertComputed(edge, () => [])
    if (news.length < MAX_SEEN_DENIALS) news.push(Date.parse(flow.at))
    const denial = denialOf(flow)
    const known = this.#byEdge.getOrInsertComputed(edge, () => [])
    const same = known.findIndex((one) => sameness(one) === sameness(denial))
    const [before] = same < 0 ? [] : known.splice(same, 1)
    if (before === undefined) this.#count++
    const newest = before !== undefined && before.at > denial.at ? before : denial
    known.push({ ...newest, times: (before?.times ?? 0) + 1 })
    known.sort((a, b) => (a.at > b.at ? -1 : a.at < b.at ? 1 : 0))
    if (known.length > MAX_DENIALS_PER_EDGE) this.#count -= known.splice(MAX_DENIALS_PER_EDGE).length
    if (this.#count > MAX_DENIALS) this.#forgetMost()
  }

  /** Of edges that are shown as one, newest first. */
  of(edges: Iterable<string>): readonly Denial[] {
    return [...edges]
      .flatMap((edge) => this.#byEdge.get(edge) ?? [])
      .sort((a, b) => (a.at > b.at ? -1 : a.at < b.at ? 1 : 0))
      .slice(0, MAX_DENIALS_PER_EDGE)
  }

  /** When these edges were refused something since the last time they were asked for; ms. */
  takeNew(edges: Iterable<string>): readonly number[] {
    const times: number[] = []
    for (const edge of edges) {
      times.push(...(this.#news.get(edge) ?? []))
      this.#news.delete(edge)
    }
    return times
  }

  /** Forgets all other edges. */
  keep(edges: ReadonlySet<string>): void {
    for (const [edge, denials] of this.#byEdge) {
      if (edges.has(edge)) continue
      this.#count -= denials.length
      this.#byEdge.delete(edge)
      this.#news.delete(edge)
    }
  }

  #remember(id: string): void {
    this.#seen.add(id)
    if (this.#seen.size <= MAX_SEEN_DENIALS) return
    const [oldest] = this.#seen
    if (oldest !== undefined) this.#seen.delete(oldest)
  }

  /** Each edge keeps its newest. */
  #forgetMost(): void {
    for (const known of this.#byEdge.values()) known.splice(1)
    this.#count = this.#byEdge.size
  }
}

function denialOf({ id, at, reporter, request, verdict, failure }: Flow): Denial {
  return {
    id,
    at,
    times: 1,
    ...(request === undefined ? {} : { request: { method: request.method, path: request.path, host: request.host } }),
    reason: verdict?.reason ?? failure?.message ?? 'denied',
    policy: verdict?.policy,
    rule: verdict?.rule,
    unmatched: verdict?.unmatched,
    by: `${reporter.kind} ${reporter.gateway ?? reporter.pod}`,
  }
}

function sameness({ request, reason, policy, rule, by }: Denial): string {
  return JSON.stringify([request, reason, policy, rule, by])
}
