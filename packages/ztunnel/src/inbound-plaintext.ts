import type { Socket } from 'node:net'
import type { Clock, SocketFactory } from '@ambit/core'
import { isProxyPort } from '@ambit/core'
import type { Workload, WorkloadLookup } from '@ambit/state'
import { type Captured, capturedEnds } from './captured.ts'
import type { Connections } from './connections.ts'
import { Cut } from './cut.ts'
import type { ConnectionEvents } from './events.ts'
import { ConnectionFailure, deniedAtStart, dialFailure } from './failures.ts'
import { CONNECT_TIMEOUT_MS } from './limits.ts'
import type { LocalWorkload } from './local-workload.ts'
import type { PolicyLog } from './policy-log.ts'
import { refuse } from './refuse.ts'
import { Bytes, type Relay } from './relay.ts'
import { guessService } from './service-hint.ts'
import { partyOf } from './traffic.types.ts'

export interface InboundPlaintextComponents {
  readonly sockets: SocketFactory
  readonly workloads: WorkloadLookup
  readonly local: LocalWorkload
  readonly connections: Connections
  readonly events: ConnectionEvents
  readonly relay: Relay
  readonly policyLog: PolicyLog
  readonly clock: Clock
}

export interface InboundPlaintextOptions {
  readonly network: string
  /** Appear to the application with the client's address. */
  readonly originalSource: boolean
}

/** Connections that reach the pod outside of the mesh's tunnel (15006): judged without an identity. */
export class InboundPlaintext {
  readonly #components: InboundPlaintextComponents
  readonly #options: InboundPlaintextOptions

  constructor(components: InboundPlaintextComponents, options: InboundPlaintextOptions) {
    this.#components = components
    this.#options = options
  }

  /** Takes a captured socket over; never throws. */
  accept(socket: Socket): void {
    socket.on('error', () => undefined)
    const ends = capturedEnds(socket, this.#components.sockets)
    if (ends === undefined) {
      socket.destroy()
      return
    }
    void this.#serve(socket, ends)
  }

  async #serve(socket: Socket, ends: Captured): Promise<void> {
    const cut = new Cut()
    cut.owns(socket)
    const gone = (): void =>
      cut.end(new ConnectionFailure('connect-failed', 'connection failed: the client closed it first'))
    socket.once('close', gone)
    try {
      if (isProxyPort(ends.target.port))
        throw new ConnectionFailure('self-call', 'attempted recursive call to ourselves')
      if (!this.#components.connections.hasRoom('inbound')) {
        throw new ConnectionFailure('too-many-connections', 'too many inbound connections of this pod')
      }
      const workload = this.#components.local.current() ?? (await this.#components.local.get(cut.signal))
      await this.#judged(socket, ends, workload, cut, () => socket.off('close', gone))
    } catch (error) {
      const failure = cut.failure ?? dialFailure(error)
      this.#components.events.refusedEarly('inbound', ends.source, ends.target, failure)
      socket.resetAndDestroy()
    }
  }

  async #judged(socket: Socket, ends: Captured, workload: Workload, cut: Cut, connected: () => void): Promise<void> {
    const { connections, events, sockets, workloads, policyLog, clock } = this.#components
    const { network, originalSource } = this.#options
    const bytes = new Bytes()
    const client = workloads.workloadByIp(network, ends.source.ip)
    const tracked = connections.trackInbound(
      { source: ends.source, destination: ends.target, workload },
      { source: ends.source, originalDestination: undefined, actualDestination: ends.target, protocol: 'TCP', bytes },
      cut.end,
    )
    const open = events.opened(
      {
        reporter: 'destination',
        source: ends.source,
        destination: ends.target,
        mutualTls: false,
        sourceParty: client && partyOf(client),
        destinationParty: partyOf(workload),
        service: guessService(workloads, workload, undefined),
      },
      bytes,
    )
    try {
      const verdict = tracked.authorize()
      policyLog.verdict(verdict)
      if (!verdict.allowed) throw deniedAtStart(verdict)
      const app = await sockets.dial({
        to: ends.target,
        from: originalSource ? ends.source.ip : undefined,
        allowHalfOpen: true,
        timeoutMs: CONNECT_TIMEOUT_MS,
        signal: cut.signal,
      })
      cut.owns(app)
      connected()
      open.close(await this.#components.relay.copy(socket, app, bytes, cut))
    } catch (error) {
      open.close(cut.failure ?? dialFailure(error))
      await refuse(socket, clock)
    } finally {
      tracked.release()
    }
  }
}
