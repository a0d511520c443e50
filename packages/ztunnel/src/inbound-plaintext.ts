import { isProxyPort } from '@ambit/core'
import type { Workload, WorkloadLookup } from '@ambit/state'
import type { Connections } from './connections.ts'
import { Cut } from './cut.ts'
import { Bytes } from './data-path/bytes.ts'
import type { CapturedConnection } from './data-path/data-path.types.ts'
import { outcome } from './data-path/outcome.ts'
import type { ConnectionEvents } from './events.ts'
import { ConnectionFailure, deniedAtStart, dialFailure } from './failures.ts'
import type { LocalWorkload } from './local-workload.ts'
import type { PolicyLog } from './policy-log.ts'
import { guessService, servicePort } from './service-hint.ts'
import { partyOf } from './traffic.types.ts'

export interface InboundPlaintextComponents {
  readonly workloads: WorkloadLookup
  readonly local: LocalWorkload
  readonly connections: Connections
  readonly events: ConnectionEvents
  readonly policyLog: PolicyLog
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

  /** Takes a captured connection over; never throws. */
  accept(client: CapturedConnection): void {
    void this.#serve(client)
  }

  async #serve(client: CapturedConnection): Promise<void> {
    const cut = new Cut()
    cut.owns(client)
    const stopWatching = client.onGone(() =>
      cut.end(new ConnectionFailure('connect-failed', 'connection failed: the client closed it first')),
    )
    try {
      if (isProxyPort(client.target.port))
        throw new ConnectionFailure('self-call', 'attempted recursive call to ourselves')
      if (!this.#components.connections.hasRoom('inbound')) {
        throw new ConnectionFailure('too-many-connections', 'too many inbound connections of this pod')
      }
      const workload = this.#components.local.current() ?? (await this.#components.local.get(cut.signal))
      await this.#judged(client, workload, cut, stopWatching)
    } catch (error) {
      const failure = cut.failure ?? dialFailure(error)
      this.#components.events.refusedEarly('inbound', client.source, client.target, failure)
      client.cut()
    }
  }

  async #judged(client: CapturedConnection, workload: Workload, cut: Cut, connected: () => void): Promise<void> {
    const { connections, events, workloads, policyLog } = this.#components
    const { network, originalSource } = this.#options
    const { source, target } = client
    const bytes = new Bytes()
    const known = workloads.workloadByIp(network, source.ip)
    const tracked = connections.trackInbound(
      { source, destination: target, workload },
      { source, originalDestination: undefined, actualDestination: target, protocol: 'TCP', bytes },
      cut.end,
    )
    const service = guessService(workloads, workload, undefined)
    const open = events.opened(
      {
        reporter: 'destination',
        source,
        destination: target,
        mutualTls: false,
        sourceParty: known && partyOf(known),
        destinationParty: partyOf(workload),
        service,
        servicePort: service && servicePort(workload, service, target.port),
      },
      bytes,
    )
    try {
      const verdict = tracked.authorize()
      open.judged(verdict)
      policyLog.verdict(verdict)
      if (!verdict.allowed) throw deniedAtStart(verdict)
      const copy = await client.forward({ to: target, from: originalSource ? source.ip : undefined }, { bytes, cut })
      connected()
      open.close(await outcome(copy, cut))
    } catch (error) {
      open.close(cut.failure ?? dialFailure(error))
      await client.refuse()
    } finally {
      tracked.release()
    }
  }
}
