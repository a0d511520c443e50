import { parseSocketAddress } from '@ambit/core'
import type { Flow, FlowEnd } from '@ambit/flow'
import type { PathPattern } from '@ambit/state'
import { MAX_OPEN_FLOWS, MAX_RECORDED_FLOWS, MAX_RECORDED_GAPS } from '../limits.ts'
import {
  FLOWS_FORMAT,
  type FlowsEnd,
  type FlowsHeader,
  type FlowsLine,
  type RecordedFlow,
  type RecordedGap,
} from './flows.types.ts'
import { PathTemplates } from './path-templates.ts'

/** What policies in force look at. */
export interface PolicyReads {
  /** In lower case. */
  readonly headers: readonly string[]
  readonly claims: readonly string[]
  readonly paths: readonly PathPattern[]
}

export interface FlowRecorderOptions {
  readonly startedAt: string
  readonly namespaces: readonly string[]
  readonly reads: PolicyReads
  /** Pods of waypoints, `namespace/name`, as far as they are known; those that tell flows are learnt. */
  readonly waypointPods: Iterable<string>
}

type Counted = { -readonly [K in keyof RecordedFlow]: RecordedFlow[K] }

/**
 * Flows of all proxies as connections and requests, each once: a waypoint tells requests, the ztunnel of the destination connections, and what
 * a client's ztunnel or one behind a waypoint tells of the same is left out. Flows that policies can not tell apart are counted together.
 */
export class FlowRecorder {
  readonly #options: FlowRecorderOptions
  readonly #templates: PathTemplates
  readonly #waypointPods: Set<string>
  readonly #flows = new Map<string, Counted>()
  readonly #open = new Map<string, Flow>()
  readonly #gaps = new Map<string, { -readonly [K in keyof RecordedGap]: RecordedGap[K] }>()
  #counted = 0

  constructor(options: FlowRecorderOptions) {
    this.#options = options
    this.#templates = new PathTemplates(options.reads.paths)
    this.#waypointPods = new Set(options.waypointPods)
  }

  /** Connections and requests that are over, or open still. */
  get counted(): number {
    return this.#counted + this.#open.size
  }

  /** Lines of flows that are over. */
  get kinds(): number {
    return this.#flows.size
  }

  /** What the recording does not have, for a person. */
  get gaps(): readonly string[] {
    return [...this.#gaps.values()].map(({ message, count }) => (count === 1 ? message : `${message} (${count} times)`))
  }

  /** What is told of an open flow is told again when it ends. */
  add(flow: Flow): void {
    if (flow.reporter.kind === 'waypoint') this.#waypointPods.add(flow.reporter.pod)
    if (flow.side === 'source' || this.#isFromWaypoint(flow)) return
    if (flow.state !== 'open') {
      this.#open.delete(flow.id)
      this.#count(flow)
    } else if (this.#open.has(flow.id) || this.#open.size < MAX_OPEN_FLOWS) this.#open.set(flow.id, flow)
    else this.gap(`more than ${MAX_OPEN_FLOWS} connections are open: those beyond count when they end`, flow.at)
  }

  gap(message: string, at: string): void {
    const known = this.#gaps.get(message)
    if (known !== undefined) known.count++
    else if (this.#gaps.size < MAX_RECORDED_GAPS) this.#gaps.set(message, { kind: 'gap', at, message, count: 1 })
    else this.#further.count++
  }

  readonly #further = { kind: 'gap' as const, at: '', message: 'further gaps, of other kinds', count: 0 }

  /** The recording as it is now. */
  lines(end: Omit<FlowsEnd, 'kind' | 'flows' | 'counted'>): readonly FlowsLine[] {
    const { startedAt, namespaces, reads } = this.#options
    const { headers, claims } = reads
    const header: FlowsHeader = {
      kind: 'header',
      format: FLOWS_FORMAT,
      startedAt,
      namespaces,
      reads: { headers, claims },
    }
    const now = new Map([...this.#flows].map(([key, flow]) => [key, { ...flow }]))
    for (const flow of this.#open.values()) this.#countInto(now, flow)
    const flows = [...now.values()].toSorted((a, b) => b.count - a.count)
    const gaps: RecordedGap[] = [...this.#gaps.values()]
    if (this.#further.count > 0) gaps.push({ ...this.#further, at: end.at })
    for (const destination of this.#templates.overflown) {
      gaps.push({
        kind: 'gap',
        at: end.at,
        message: `${destination} has more paths than are kept: the rest is one`,
        count: 1,
      })
    }
    const counted = flows.reduce((sum, { count }) => sum + count, 0)
    return [header, ...flows, ...gaps, { kind: 'end', ...end, flows: flows.length, counted }]
  }

  #count(flow: Flow): void {
    this.#counted += this.#countInto(this.#flows, flow)
  }

  /** How many were counted. */
  #countInto(flows: Map<string, Counted>, flow: Flow): number {
    if (this.#isFromWaypoint(flow)) return 0
    const recorded = this.#recorded(flow)
    const { firstSeen, lastSeen, count: _, ...same } = recorded
    const key = JSON.stringify(same)
    const known = flows.get(key)
    if (known !== undefined) {
      known.count++
      if (firstSeen < known.firstSeen) known.firstSeen = firstSeen
      if (lastSeen > known.lastSeen) known.lastSeen = lastSeen
      return 1
    }
    if (flows.size < MAX_RECORDED_FLOWS) {
      flows.set(key, recorded)
      return 1
    }
    this.gap(`more than ${MAX_RECORDED_FLOWS} kinds of flows: further ones are left out`, flow.at)
    return 0
  }

  #isFromWaypoint({ side, client }: Flow): boolean {
    return (
      side === 'destination' && client.pod !== undefined && this.#waypointPods.has(`${client.namespace}/${client.pod}`)
    )
  }

  #recorded(flow: Flow): RecordedFlow {
    const { reporter, client, server, service, request, verdict, state } = flow
    const at = service === undefined ? `${server.namespace}/${server.workload}` : `${service.hostname}:${service.port}`
    const port = parseSocketAddress(server.address)?.port ?? 0
    const { identity, namespace, workload } = client
    return {
      kind: 'flow',
      judge: reporter.kind,
      ...(reporter.kind === 'ztunnel' ? {} : { gateway: reporter.gateway }),
      client: { identity, namespace, workload },
      ...(service === undefined ? {} : { service }),
      ...(hasName(server) && reporter.kind === 'ztunnel'
        ? { server: { namespace: server.namespace, workload: server.workload, port } }
        : {}),
      ...(request === undefined
        ? {}
        : {
            request: {
              method: request.method,
              path: request.path.startsWith('/') ? this.#templates.templateAt(at, request.path) : request.path,
              host: request.host,
              ...this.#fieldsOf(request),
            },
          }),
      ...(verdict === undefined ? {} : { verdict }),
      outcome: state === 'denied' ? 'denied' : state === 'failed' ? 'failed' : 'allowed',
      count: 1,
      firstSeen: flow.startedAt,
      lastSeen: flow.at,
    }
  }

  /** Nothing that no policy reads, whatever the proxy tells. */
  #fieldsOf({
    headers = {},
    claims = {},
  }: NonNullable<Flow['request']>): Pick<NonNullable<RecordedFlow['request']>, 'headers' | 'claims'> {
    const { reads } = this.#options
    const of = <T>(all: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> =>
      Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)))
    const [kept, told] = [of(headers, reads.headers), of(claims, reads.claims)]
    return {
      ...(Object.keys(kept).length === 0 ? {} : { headers: kept }),
      ...(Object.keys(told).length === 0 ? {} : { claims: told }),
    }
  }
}

function hasName(end: FlowEnd): end is FlowEnd & { readonly namespace: string; readonly workload: string } {
  return end.namespace !== undefined && end.workload !== undefined
}
