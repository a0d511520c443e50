import type { Clock, Logger, SocketAddress, SpiffeId } from '@ambit/core'
import { formatSocketAddress, formatSpiffeId } from '@ambit/core'
import type { TlsFacts } from '@ambit/hbone'
import { authorizeConnection, type ConnectionFacts, type Verdict } from '@ambit/policy'
import type { PolicyChange, PolicyLookup, Workload } from '@ambit/state'
import type { ByteCounter } from './events.ts'
import { type ConnectionFailure, deniedLater } from './failures.ts'
import { MAX_CONNECTIONS_PER_POD, MAX_DUMPED_CONNECTIONS } from './limits.ts'
import type { Judged, Rejudging } from './rejudging.ts'

/** One open connection as the table shows it. */
export interface ConnectionRow {
  readonly source: SocketAddress
  /** Service host the client asked for, if any. */
  readonly originalDestination: string | undefined
  readonly actualDestination: SocketAddress
  readonly protocol: 'HBONE' | 'TCP' | 'DOUBLEHBONE'
  readonly sourceIdentity?: SpiffeId | undefined
  readonly destinationIdentity?: SpiffeId | undefined
  readonly tls?: TlsFacts | undefined
  readonly bytes: ByteCounter
}

/** The hold on a connection: whoever has it must release it. */
export interface TrackedConnection {
  /** Adds what became known later, such as the peer's identity. */
  refine(more: Partial<ConnectionRow>): void
  release(): void
}

export interface InboundConnection extends TrackedConnection {
  /** Asks the policies in force now. The connection is already registered, so no later change can be missed. */
  authorize(): Verdict
}

interface Entry {
  row: ConnectionRow
  readonly openedMs: number
  readonly cut: (failure: ConnectionFailure) => void
}

interface InboundEntry extends Entry, Judged {
  readonly facts: ConnectionFacts
}

/**
 * The open connections of one pod: what the operator is shown, what a policy change is checked against, what a drain
 * waits for.
 */
export class Connections {
  readonly #policies: PolicyLookup
  readonly #current: (uid: string) => Workload | undefined
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #rejudging: Rejudging
  readonly #inbound = new Set<InboundEntry>()
  /** By the workload they are to; one pod has few. */
  readonly #inboundTo = new Map<string, Set<InboundEntry>>()
  readonly #outbound = new Set<Entry>()
  readonly #waiters = new Set<() => void>()

  constructor(components: {
    readonly policies: PolicyLookup
    /** The workload as the control plane describes it now. */
    readonly currentWorkload: (uid: string) => Workload | undefined
    readonly clock: Clock
    readonly logger: Logger
    /** Of all pods together. */
    readonly rejudging: Rejudging
  }) {
    this.#policies = components.policies
    this.#current = components.currentWorkload
    this.#clock = components.clock
    this.#logger = components.logger
    this.#rejudging = components.rejudging
  }

  get size(): number {
    return this.#inbound.size + this.#outbound.size
  }

  /** Whether one more connection may be taken in that direction. */
  hasRoom(direction: 'inbound' | 'outbound'): boolean {
    return (direction === 'inbound' ? this.#inbound : this.#outbound).size < MAX_CONNECTIONS_PER_POD
  }

  trackInbound(
    facts: ConnectionFacts,
    row: ConnectionRow,
    cut: (failure: ConnectionFailure) => void,
  ): InboundConnection {
    const entry: InboundEntry = {
      facts,
      row,
      cut,
      openedMs: this.#clock.now(),
      judgeAgain: () => this.#judgeAgain(entry),
    }
    const { uid } = facts.workload
    this.#inbound.add(entry)
    const toSame = this.#inboundTo.get(uid)
    if (toSame === undefined) this.#inboundTo.set(uid, new Set([entry]))
    else toSame.add(entry)
    const forget = (): void => {
      this.#inbound.delete(entry)
      this.#rejudging.drop(entry)
      const left = this.#inboundTo.get(uid)
      left?.delete(entry)
      if (left?.size === 0) this.#inboundTo.delete(uid)
    }
    return { ...this.#hold(entry, forget), authorize: () => authorizeConnection(facts, this.#policies) }
  }

  trackOutbound(row: ConnectionRow, cut: (failure: ConnectionFailure) => void): TrackedConnection {
    const entry: Entry = { row, cut, openedMs: this.#clock.now() }
    this.#outbound.add(entry)
    return this.#hold(entry, () => this.#outbound.delete(entry))
  }

  /**
   * Has inbound connections to the workloads that a change of policies affects judged again: those are cut that the policies in force now
   * would not let in. The workload is taken as it is now, too: a selector policy that is new names itself only there.
   */
  reevaluate(change: Pick<PolicyChange, 'affects'>): void {
    for (const [uid, entries] of this.#inboundTo) {
      const workload = this.#current(uid)
      // One that is gone is judged as it was when each connection opened.
      if (workload === undefined || change.affects(workload)) this.#rejudging.add(entries)
    }
  }

  /** The same for connections to workloads that have changed. */
  reevaluateTo(uids: Iterable<string>): void {
    if (this.#inboundTo.size === 0) return
    for (const uid of uids) {
      const entries = this.#inboundTo.get(uid)
      if (entries !== undefined) this.#rejudging.add(entries)
    }
  }

  #judgeAgain(entry: InboundEntry): void {
    const workload = this.#current(entry.facts.workload.uid) ?? entry.facts.workload
    const facts = { ...entry.facts, workload }
    const verdict = authorizeConnection(facts, this.#policies)
    if (verdict.allowed) return
    const who = facts.sourceIdentity === undefined ? 'None' : formatSpiffeId(facts.sourceIdentity)
    this.#logger.info(
      `connection ${formatSocketAddress(facts.source)}(${who})->${formatSocketAddress(facts.destination)} (${facts.workload.uid}) closed because it's no longer allowed after a policy update`,
    )
    entry.cut(deniedLater(verdict))
  }

  /** Ends every connection at once. */
  cutAll(failure: ConnectionFailure): void {
    for (const entry of [...this.#inbound, ...this.#outbound]) entry.cut(failure)
  }

  /** Resolves when no connection is left. */
  async idle(): Promise<void> {
    while (this.size > 0) await new Promise<void>((resolve) => void this.#waiters.add(resolve))
  }

  dump(): { readonly inbound: readonly object[]; readonly outbound: readonly object[] } {
    return { inbound: this.#rows(this.#inbound), outbound: this.#rows(this.#outbound) }
  }

  #hold(entry: Entry, forget: () => void): TrackedConnection {
    return {
      refine: (more) => {
        entry.row = { ...entry.row, ...more }
      },
      release: () => {
        forget()
        if (this.size > 0) return
        for (const waiter of this.#waiters) waiter()
        this.#waiters.clear()
      },
    }
  }

  #rows(entries: Iterable<Entry>): readonly object[] {
    const rows: object[] = []
    for (const entry of entries) {
      if (rows.length >= MAX_DUMPED_CONNECTIONS) break
      rows.push(dumpRow(entry))
    }
    return rows
  }
}

/** The first four keys are Istio's; the others say what an auditor of encryption asks for. */
function dumpRow({ row, openedMs }: Entry): object {
  return {
    src: formatSocketAddress(row.source),
    originalDst: row.originalDestination ?? null,
    actualDst: formatSocketAddress(row.actualDestination),
    protocol: row.protocol,
    srcIdentity: row.sourceIdentity && formatSpiffeId(row.sourceIdentity),
    dstIdentity: row.destinationIdentity && formatSpiffeId(row.destinationIdentity),
    tlsVersion: row.tls?.version,
    cipher: row.tls?.cipher,
    keyExchange: row.tls?.keyExchange,
    opened: new Date(openedMs).toISOString(),
    bytesFromDownstream: row.bytes.fromDownstream,
    bytesToDownstream: row.bytes.toDownstream,
  }
}
