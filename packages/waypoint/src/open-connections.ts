import type { Duplex } from 'node:stream'
import { formatSpiffeId } from '@ambit/core'
import { cut } from '@ambit/hbone'
import type { RequestFacts, RequestVerdict } from '@ambit/policy'
import type { Downstream, RequestDestination } from './request.types.ts'
import type { RequestRecord } from './telemetry/request-record.ts'

export interface OpenConnectionsComponents {
  readonly judge: (policies: readonly string[], facts: RequestFacts) => RequestVerdict
  /** What it is for, as the control plane says now. */
  readonly find: (downstream: Downstream) => Pick<RequestDestination, 'destination'> | undefined
}

export interface OpenConnection {
  readonly facts: RequestFacts
  readonly downstream: Downstream
  readonly record: RequestRecord
  /** Both sides, as far as they are open; asked when the connection is to be cut. */
  readonly streams: () => readonly Duplex[]
}

/** Connections of which only the beginning is seen: TCP, and what requests changed to. Each is judged again on every change. */
export class OpenConnections {
  readonly #components: OpenConnectionsComponents
  readonly #open = new Set<OpenConnection>()

  constructor(components: OpenConnectionsComponents) {
    this.#components = components
  }

  /** Until what it answers is disposed of. What has changed since it was first judged counts at once. */
  add(connection: OpenConnection): Disposable {
    this.#open.add(connection)
    this.#judgeAgain(connection)
    return { [Symbol.dispose]: () => void this.#open.delete(connection) }
  }

  /** Cuts those that would not be let in now. */
  reevaluate(): void {
    for (const connection of [...this.#open]) this.#judgeAgain(connection)
  }

  #judgeAgain({ facts, downstream, record, streams }: OpenConnection): void {
    const { find, judge } = this.#components
    const target = find(downstream)
    const policies = target?.destination.authorizationPolicies ?? []
    const verdict = target && judge(policies, facts)
    if (verdict?.allowed === true) return
    if (verdict !== undefined) record.judged = { facts, verdict, policies }
    const peer = downstream.peer === undefined ? downstream.remote.ip : formatSpiffeId(downstream.peer)
    record.connectionDetails = `closed after a change of policy: ${peer} is not allowed any more`
    for (const stream of streams()) cut(stream)
  }
}
