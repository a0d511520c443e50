import { formatSocketAddress } from '@ambit/core'
import { parseAuthority, parseBaggage, parseForwardedHost } from '@ambit/hbone'
import { checkInboundDestination, type InboundVerdict, type Workload, type WorkloadLookup } from '@ambit/state'
import { partyOfBaggage, WorkloadBaggage } from './connect-headers.ts'
import type { Connections } from './connections.ts'
import { Cut } from './cut.ts'
import { Bytes } from './data-path/bytes.ts'
import type { AcceptedConnect, PathDial } from './data-path/data-path.types.ts'
import { outcome } from './data-path/outcome.ts'
import type { ConnectionEvents } from './events.ts'
import { ConnectionFailure, deniedAtStart, dialFailure } from './failures.ts'
import type { LocalWorkload } from './local-workload.ts'
import type { PolicyLog } from './policy-log.ts'
import { encodeProxyHeader } from './proxy-protocol.ts'
import { guessService, servicePort } from './service-hint.ts'
import { type Party, partyOf, type Traffic } from './traffic.types.ts'

export interface InboundComponents {
  readonly workloads: WorkloadLookup
  readonly local: LocalWorkload
  readonly connections: Connections
  readonly events: ConnectionEvents
  readonly policyLog: PolicyLog
}

export interface InboundOptions {
  readonly network: string
  readonly originalSource: boolean
  readonly localhostAppTunnel: boolean
  readonly responseBaggage: boolean
}

const CLIENT_LEFT = 'connection failed: the client closed the stream'

type Accepted = InboundVerdict & { readonly accepted: true }

/** Tunnels that peers open to the pod (15008): checks, policy, then the application. */
export class Inbound {
  readonly #components: InboundComponents
  readonly #options: InboundOptions
  readonly #baggage = new WorkloadBaggage()

  constructor(components: InboundComponents, options: InboundOptions) {
    this.#components = components
    this.#options = options
  }

  /** Answers one CONNECT; never throws. */
  serve(request: AcceptedConnect): void {
    void this.#serve(request)
  }

  async #serve(request: AcceptedConnect): Promise<void> {
    try {
      if (request.method !== 'CONNECT' || !request.isPlainConnect) {
        throw new ConnectionFailure('not-connect', `not a plain CONNECT: ${request.method}`)
      }
      if (parseAuthority(request.authority ?? '') === undefined) {
        throw new ConnectionFailure(
          'bad-authority',
          `authority is neither ip:port nor host:port: ${JSON.stringify(request.authority ?? '')}`,
        )
      }
      if (!this.#components.connections.hasRoom('inbound')) {
        throw new ConnectionFailure('too-many-connections', 'too many inbound connections of this pod')
      }
      const workload = this.#components.local.current() ?? (await this.#arrival(request))
      await this.#judged(request, workload, this.#destination(request, workload))
    } catch (error) {
      // Nothing is known of the connection yet: one line, no metrics.
      const failure = dialFailure(error)
      this.#components.events.refusedEarly('inbound', request.remote, request.local, failure)
      request.reject(failure.status)
    }
  }

  async #arrival(request: AcceptedConnect): Promise<Workload> {
    const gone = new AbortController()
    const stopWatching = request.onGone(() => gone.abort(new ConnectionFailure('connect-failed', CLIENT_LEFT)))
    try {
      return await this.#components.local.get(gone.signal)
    } finally {
      stopWatching()
    }
  }

  #destination(request: AcceptedConnect, workload: Workload): Accepted {
    const verdict = checkInboundDestination(this.#components.workloads, {
      authority: request.authority ?? '',
      localIp: request.local.ip,
      workload,
      network: this.#options.network,
      localhostTunnel: this.#options.localhostAppTunnel,
    })
    if (verdict.accepted) return verdict
    throw new ConnectionFailure(verdict.status === 400 ? 'ip-mismatch' : 'unknown-service', verdict.reason)
  }

  async #judged(request: AcceptedConnect, workload: Workload, target: Accepted): Promise<void> {
    const { connections, events } = this.#components
    const cut = new Cut()
    const { identity } = request.peer
    const bytes = new Bytes()
    const traffic = this.#traffic(request, workload, target)
    const tracked = connections.trackInbound(
      { source: request.remote, sourceIdentity: identity, destination: target.destination, workload },
      {
        source: request.remote,
        originalDestination: target.service?.hostname ?? traffic.service?.hostname,
        actualDestination: target.destination,
        protocol: 'HBONE',
        sourceIdentity: identity,
        destinationIdentity: workload.identity,
        tls: request.tls,
        bytes,
      },
      cut.end,
    )
    const open = events.opened(traffic, bytes)
    try {
      const verdict = tracked.authorize()
      open.judged(verdict)
      this.#components.policyLog.verdict(verdict)
      if (!verdict.allowed) throw deniedAtStart(verdict)
      const stopWatching = request.onGone(() => cut.end(new ConnectionFailure('connect-failed', CLIENT_LEFT)))
      const prefix =
        target.proxyHeader &&
        encodeProxyHeader({ source: request.remote, destination: target.proxyHeader.destination, identity })
      const headers = this.#options.responseBaggage ? { baggage: this.#baggage.of(workload) } : {}
      const copy = await request.serve(this.#dial(request, target), { headers, prefix }, { bytes, cut })
      stopWatching()
      open.close(await outcome(copy, cut))
    } catch (error) {
      const failure = cut.failure ?? dialFailure(error)
      open.close(failure)
      request.reject(failure.status)
      // The application may be connected already when its client turns out to have left.
      cut.end(failure)
    } finally {
      tracked.release()
    }
  }

  #dial(request: AcceptedConnect, target: Accepted): PathDial {
    // Towards loopback the source is loopback too; otherwise the application sees its client.
    const from = target.originalSource ? (this.#options.originalSource ? request.remote.ip : undefined) : target.dial.ip
    return { to: target.dial, from }
  }

  #traffic(request: AcceptedConnect, workload: Workload, target: Accepted): Traffic {
    const hint = parseForwardedHost(header(request.headers['forwarded']))
    const service = target.service ?? guessService(this.#components.workloads, workload, hint)
    return {
      reporter: 'destination',
      source: request.remote,
      destination: request.local,
      hboneTarget: formatSocketAddress(target.destination),
      mutualTls: true,
      sourceParty: this.#sourceParty(request),
      sourceIdentity: request.peer.identity,
      destinationParty: partyOf(workload),
      destinationIdentity: workload.identity,
      service,
      servicePort: service && servicePort(workload, service, target.destination.port),
      tls: request.tls,
    }
  }

  /** The workload at the peer's address when its identity fits, otherwise what the peer's proxy says, for telemetry only. */
  #sourceParty(request: AcceptedConnect): Party | undefined {
    const { network } = this.#options
    const through = header(request.headers['x-forwarded-network'])
    const behindGateway = through !== undefined && through.toLowerCase() !== network.toLowerCase()
    const workload = behindGateway ? undefined : this.#components.workloads.workloadByIp(network, request.remote.ip)
    const { identity } = request.peer
    if (
      workload !== undefined &&
      workload.namespace === identity.namespace &&
      workload.serviceAccount === identity.serviceAccount
    ) {
      return partyOf(workload)
    }
    if (!this.#options.responseBaggage) return { namespace: identity.namespace }
    const claimed = partyOfBaggage(parseBaggage(request.headers['baggage']))
    return { ...claimed, namespace: claimed.namespace ?? identity.namespace }
  }
}

function header(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0]
}
