import { lookup } from 'node:dns/promises'
import type { Ip, SocketAddress } from '@ambit/core'
import { abortable, formatSocketAddress, parseIp } from '@ambit/core'
import {
  type Resolution,
  resolveOutbound,
  type Service,
  type Workload,
  type WorkloadLookup,
  withResolvedAddress,
} from '@ambit/state'
import { isOutboundLoop } from './captured.ts'
import { ConnectHeaders } from './connect-headers.ts'
import type { Connections } from './connections.ts'
import { Cut } from './cut.ts'
import { Bytes } from './data-path/bytes.ts'
import type { CapturedConnection, Flow, RunningCopy, TunnelledCopy } from './data-path/data-path.types.ts'
import { outcome } from './data-path/outcome.ts'
import type { ConnectionEvents, OpenConnection } from './events.ts'
import { ConnectionFailure, dialFailure, type FailureCode } from './failures.ts'
import { hboneFailure } from './hbone-failure.ts'
import { MAX_CONNECTING_PER_POD, RESOLVE_TIMEOUT_MS } from './limits.ts'
import type { LocalWorkload } from './local-workload.ts'
import { partyOf, type Traffic } from './traffic.types.ts'

export interface OutboundComponents {
  readonly workloads: WorkloadLookup
  readonly local: LocalWorkload
  readonly connections: Connections
  readonly events: ConnectionEvents
  /** Addresses of a workload that only has a name. */
  readonly resolveHostname?: (hostname: string, source: Workload) => Promise<readonly Ip[]>
  /** Asks the control plane for what is at an address, where not everything is sent unasked. */
  readonly demand?: ((target: SocketAddress, signal: AbortSignal) => Promise<void>) | undefined
  readonly random: () => number
}

type Reachable = Exclude<Resolution, { kind: 'refused' | 'resolve-hostname' }>

const REFUSALS: Readonly<Record<string, FailureCode>> = {
  'no-healthy-upstream': 'no-healthy-upstream',
  'unknown-waypoint': 'unknown-waypoint',
  'no-route': 'no-route',
  'cross-network-unsupported': 'cross-network',
  'unresolved-hostname': 'no-route',
}

/** Connections that the pod's applications open (15001): finds the backend and takes the bytes there. */
export class Outbound {
  readonly #components: OutboundComponents
  readonly #network: string
  readonly #headers = new ConnectHeaders()
  #connecting = 0

  constructor(components: OutboundComponents, options: { readonly network: string }) {
    this.#components = components
    this.#network = options.network
  }

  /** Takes a captured connection over; never throws. */
  accept(client: CapturedConnection): void {
    const refusal = this.#refusal(client)
    if (refusal !== undefined) {
      this.#components.events.refusedEarly('outbound', client.source, client.target, refusal)
      client.cut()
      return
    }
    void this.#serve(client)
  }

  #refusal({ target, local }: CapturedConnection): ConnectionFailure | undefined {
    if (isOutboundLoop(target, local))
      return new ConnectionFailure('self-call', 'attempted recursive call to ourselves')
    if (!this.#components.connections.hasRoom('outbound') || this.#connecting >= MAX_CONNECTING_PER_POD) {
      return new ConnectionFailure('too-many-connections', 'too many outbound connections of this pod')
    }
    return undefined
  }

  async #serve(client: CapturedConnection): Promise<void> {
    const { events, connections, local } = this.#components
    const cut = new Cut()
    cut.owns(client)
    const stopWatching = client.onGone(() =>
      cut.end(new ConnectionFailure('connect-failed', 'connection failed: the application closed it first')),
    )
    this.#connecting++
    let connected = false
    const doneConnecting = (): void => {
      if (!connected) this.#connecting--
      connected = true
    }
    const bytes = new Bytes()
    let open: OpenConnection | undefined
    const tracked = connections.trackOutbound(
      {
        source: client.source,
        originalDestination: undefined,
        actualDestination: client.target,
        protocol: 'TCP',
        bytes,
      },
      cut.end,
    )
    try {
      const source = local.current() ?? (await local.get(cut.signal))
      if (this.#components.demand !== undefined) await this.#components.demand(client.target, cut.signal)
      const resolution = await this.#resolve(source, client)
      cut.throwIfCut()
      open = events.opened(trafficOf(resolution, source, client), bytes)
      const route = reachable(resolution)
      tracked.refine(rowOf(route))
      const copy = await this.#connect(route, source, client, { bytes, cut })
      stopWatching()
      doneConnecting()
      if ('peer' in copy) {
        open.peerIs(copy.peer, copy.tls)
        tracked.refine({ sourceIdentity: source.identity, destinationIdentity: copy.peer, tls: copy.tls })
      }
      open.close(await outcome(copy, cut))
    } catch (error) {
      const failure = cut.failure ?? (error instanceof ConnectionFailure ? error : dialFailure(error))
      if (open === undefined) events.refusedEarly('outbound', client.source, client.target, failure)
      else open.close(failure)
      await client.refuse()
    } finally {
      doneConnecting()
      tracked.release()
    }
  }

  async #resolve(source: Workload, { source: client, target }: CapturedConnection): Promise<Resolution> {
    const { workloads, random, resolveHostname } = this.#components
    const resolution = resolveOutbound(workloads, {
      source,
      sourceIp: client.ip,
      target,
      network: this.#network,
      random,
    })
    if (resolution.kind !== 'resolve-hostname') return resolution
    const ips = await (resolveHostname ?? systemLookup)(resolution.hostname, source).catch(() => [])
    return withResolvedAddress(resolution, ips, random)
  }

  async #connect(
    route: Reachable,
    source: Workload,
    client: CapturedConnection,
    flow: Flow,
  ): Promise<RunningCopy | TunnelledCopy> {
    const authority = route.kind === 'passthrough' ? undefined : route.authority
    if (route.kind === 'passthrough' || authority === undefined) return await client.forward({ to: route.to }, flow)
    try {
      const request = {
        source: source.identity,
        sourceIp: client.source.ip,
        to: route.to,
        expected: route.expected,
        authority: formatSocketAddress(authority),
        headers: this.#headers.of({ source, client: client.source, serviceHostname: route.service?.hostname }),
      }
      return await client.tunnel(request, flow)
    } catch (error) {
      throw flow.cut.failure ?? hboneFailure(error, route.to)
    }
  }
}

function reachable(resolution: Resolution): Reachable {
  if (resolution.kind === 'refused')
    throw new ConnectionFailure(REFUSALS[resolution.reason] ?? 'no-route', resolution.message)
  if (resolution.kind === 'resolve-hostname') throw new ConnectionFailure('internal', 'hostname left unresolved')
  return resolution
}

/** What is known when the connection opens; the peer's identity comes with its handshake. */
function trafficOf(resolution: Resolution, source: Workload, { source: client, target }: CapturedConnection): Traffic {
  const service = resolution.kind === 'resolve-hostname' ? resolution.pending.service : resolution.service
  const workload = resolution.kind === 'passthrough' ? undefined : resolution.workload
  const tunnel = resolution.kind === 'direct' || resolution.kind === 'waypoint' ? resolution.authority : undefined
  return {
    reporter: 'source',
    source: client,
    destination: resolution.kind === 'refused' || resolution.kind === 'resolve-hostname' ? target : resolution.to,
    hboneTarget: tunnel && formatSocketAddress(tunnel),
    mutualTls: tunnel !== undefined,
    sourceParty: partyOf(source),
    sourceIdentity: tunnel && source.identity,
    destinationParty: workload && partyOf(workload),
    destinationIdentity: tunnel && workload?.identity,
    service: service && servicePartyOf(service),
    servicePort: service && target.port,
    waypoint: resolution.kind === 'waypoint' ? waypointOf(resolution) : undefined,
  }
}

function waypointOf({ workload, target }: Extract<Resolution, { kind: 'waypoint' }>): Traffic['waypoint'] {
  return { name: `${workload.namespace}/${workload.workloadName}`, target: target && partyOf(target) }
}

function rowOf(route: Reachable): {
  originalDestination: string | undefined
  actualDestination: SocketAddress
  protocol: 'HBONE' | 'TCP'
} {
  const tunnelled = route.kind !== 'passthrough' && route.authority !== undefined
  return {
    originalDestination: route.service?.hostname,
    actualDestination: route.to,
    protocol: tunnelled ? 'HBONE' : 'TCP',
  }
}

export function servicePartyOf({ hostname, namespace, name }: Service): {
  hostname: string
  namespace: string
  name: string
} {
  return { hostname, namespace, name }
}

async function systemLookup(hostname: string): Promise<readonly Ip[]> {
  const found = await abortable(lookup(hostname, { all: true }), AbortSignal.timeout(RESOLVE_TIMEOUT_MS))
  return found.map(({ address }) => parseIp(address)).filter((ip): ip is Ip => ip !== undefined)
}
