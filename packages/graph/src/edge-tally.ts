import type { Flow } from '@ambit/flow'
import type { Leg, Role } from './legs.ts'
import { MAX_EDGE_VALUES } from './limits.ts'

/** What proxies of one role told of an edge. */
export interface Counts {
  open: number
  connections: number
  requests: number
  denied: number
  /** Of those, connections. */
  deniedConnections: number
  /** Connections that the other side answered with a refusal. */
  refused: number
  failed: number
  failedConnections: number
  bytesFromClient: number
  bytesToClient: number
}

const ROLES: readonly Role[] = ['source', 'destination', 'waypoint', 'gateway']

/** Lists of an edge, each without repetition. */
export interface EdgeValues {
  readonly ports: Set<number>
  readonly endpoints: Set<string>
  readonly waypoints: Set<string>
  readonly clientIdentities: Set<string>
  readonly serverIdentities: Set<string>
  readonly transports: Set<Flow['transport']['kind']>
  readonly tlsVersions: Set<string>
  readonly keyExchanges: Set<string>
}

/** All that was told of one edge, apart by who told it. */
export class EdgeTally {
  readonly counts: Readonly<Record<Role, Counts>> = {
    source: noCounts(),
    destination: noCounts(),
    waypoint: noCounts(),
    gateway: noCounts(),
  }
  readonly values: EdgeValues = {
    ports: new Set(),
    endpoints: new Set(),
    waypoints: new Set(),
    clientIdentities: new Set(),
    serverIdentities: new Set(),
    transports: new Set(),
    tlsVersions: new Set(),
    keyExchanges: new Set(),
  }
  firstAt: string
  last: Flow
  lastDenied: Flow | undefined
  lastFailed: Flow | undefined

  constructor(flow: Flow) {
    this.firstAt = flow.startedAt
    this.last = flow
  }

  /** Takes what a flow says, as it is now or was in the end. */
  add(flow: Flow, leg: Leg): void {
    count(this.counts[leg.role], flow, leg)
    this.#note(flow, leg)
  }

  /** Takes all of another over, of what turned out to be the same edge. */
  merge(other: EdgeTally): void {
    for (const role of ROLES) {
      const mine = this.counts[role]
      const theirs = other.counts[role]
      for (const name of COUNTS) mine[name] += theirs[name]
    }
    for (const name of Object.keys(this.values) as (keyof EdgeValues)[])
      for (const value of other.values[name]) addValue(this.values[name] as Set<unknown>, value)
    if (other.firstAt < this.firstAt) this.firstAt = other.firstAt
    this.last = newer(this.last, other.last)
    this.lastDenied = newer(this.lastDenied, other.lastDenied)
    this.lastFailed = newer(this.lastFailed, other.lastFailed)
  }

  #note(flow: Flow, { to, role, port, clientIdentity, serverIdentity, transport }: Leg): void {
    const { values } = this
    const { server, waypoint } = flow
    if (port !== undefined) addValue(values.ports, port)
    if (to.kind === 'service' && server.workload !== undefined && server.namespace !== undefined)
      addValue(values.endpoints, `${server.namespace}/${server.workload}`)
    if (waypoint !== undefined && (role !== 'gateway' || to.kind === 'service')) addValue(values.waypoints, waypoint)
    if (clientIdentity !== undefined) addValue(values.clientIdentities, clientIdentity)
    if (serverIdentity !== undefined) addValue(values.serverIdentities, serverIdentity)
    // Where no connection came about nothing was readable on the wire.
    const isNothing = flow.state === 'failed' && flow.bytesFromClient + flow.bytesToClient === 0
    if (transport !== undefined && !(isNothing && transport.kind === 'plain'))
      addValue(values.transports, transport.kind)
    if (transport?.version !== undefined) addValue(values.tlsVersions, transport.version)
    if (transport?.keyExchange !== undefined) addValue(values.keyExchanges, transport.keyExchange)
    if (flow.startedAt < this.firstAt) this.firstAt = flow.startedAt
    this.last = newer(this.last, flow)
    if (flow.state === 'denied') this.lastDenied = newer(this.lastDenied, flow)
    if (flow.state === 'failed') this.lastFailed = newer(this.lastFailed, flow)
  }
}

const COUNTS = Object.keys(noCounts()) as readonly (keyof Counts)[]

function noCounts(): Counts {
  return {
    open: 0,
    connections: 0,
    requests: 0,
    denied: 0,
    deniedConnections: 0,
    refused: 0,
    failed: 0,
    failedConnections: 0,
    bytesFromClient: 0,
    bytesToClient: 0,
  }
}

function count(counts: Counts, flow: Flow, { countsDenial }: Leg): void {
  const isConnection = flow.protocol === 'tcp'
  if (isConnection) counts.connections++
  else counts.requests++
  if (isConnection && flow.state === 'open') counts.open++
  if (flow.state === 'denied' && countsDenial) {
    counts.denied++
    if (isConnection) counts.deniedConnections++
  }
  if (flow.state === 'failed') {
    if (isRefusal(flow)) counts.refused++
    else {
      counts.failed++
      if (isConnection) counts.failedConnections++
    }
  }
  counts.bytesFromClient += flow.bytesFromClient
  counts.bytesToClient += flow.bytesToClient
}

/** How a client's proxy sees that policy refused it at the other end. */
function isRefusal({ side, failure }: Flow): boolean {
  return side === 'source' && failure?.code === 'http-status' && failure.message.startsWith('http status: 401')
}

function addValue<T>(values: Set<T>, value: T): void {
  if (values.size < MAX_EDGE_VALUES) values.add(value)
}

/** The one told of later; of two at once the same one whichever came first. */
function newer<T extends Flow | undefined>(a: T, b: T): T {
  if (a === undefined) return b
  if (b === undefined) return a
  if (a.at !== b.at) return a.at > b.at ? a : b
  return a.id >= b.id ? a : b
}
