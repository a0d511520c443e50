import type { discoverypb } from '@ambit/api'
import type { Clock, Logger } from '@ambit/core'
import { XdsLimitError } from './errors.ts'
import { MAX_TYPES_PER_STREAM } from './limits.ts'
import type { DeltaRequest } from './method.ts'
import type { ResourceChange, ResourceSource } from './resource.types.ts'
import { ServerType } from './server-type.ts'

/** What a connected client was sent and said, for status reports. */
export interface TypeStatus {
  readonly typeUrl: string
  readonly wildcard: boolean
  readonly subscribedNames: number
  readonly sentNonce: string
  readonly ackedNonce: string
  readonly nackedNonce: string
  readonly lastError: string
  readonly lastSentMs: number
  readonly lastAnsweredMs: number
}

export interface ServerStreamComponents {
  readonly source: ResourceSource
  readonly clock: Clock
  readonly logger: Logger
  readonly send: (response: discoverypb.DeltaDiscoveryResponse) => void
  /** The client did not answer a push in time. */
  readonly onStuck: (typeUrl: string) => void
  readonly onNack: (typeUrl: string, message: string) => void
}

type MutableStatus = { -readonly [K in keyof TypeStatus]: TypeStatus[K] }

interface Entry {
  readonly type: ServerType
  readonly status: MutableStatus
  ackTimer: Disposable | undefined
}

/**
 * The conversation with one client. At most one response of each type is unanswered, so a slow client costs names to
 * remember and never a growing queue.
 */
export class ServerStream implements Disposable {
  readonly #parts: ServerStreamComponents
  readonly #ackTimeoutMs: number
  readonly #audience: string | undefined
  readonly #types = new Map<string, Entry>()
  #nonces = 0

  constructor(
    components: ServerStreamComponents,
    options: { readonly ackTimeoutMs: number; readonly audience?: string | undefined },
  ) {
    this.#parts = components
    this.#ackTimeoutMs = options.ackTimeoutMs
    this.#audience = options.audience
  }

  onRequest(request: DeltaRequest): void {
    const entry = this.#types.get(request.typeUrl)
    if (entry === undefined) {
      this.#open(request)
      return
    }
    entry.type.change(request)
    if (request.responseNonce !== '') this.#onAnswer(entry, request)
    this.#pushIfDue(entry)
  }

  /** Notes a change of the source; `flush` sends it. */
  note(typeUrl: string, change: ResourceChange): void {
    this.#types.get(typeUrl)?.type.note(change)
  }

  flush(): void {
    for (const entry of this.#types.values()) this.#pushIfDue(entry)
  }

  statuses(): readonly TypeStatus[] {
    return [...this.#types.values()].map(({ status, type }) => ({ ...status, subscribedNames: type.subscribedNames }))
  }

  [Symbol.dispose](): void {
    for (const { ackTimer } of this.#types.values()) ackTimer?.[Symbol.dispose]()
    this.#types.clear()
  }

  #open(request: DeltaRequest): void {
    const { typeUrl } = request
    if (this.#types.size >= MAX_TYPES_PER_STREAM) {
      throw new XdsLimitError(`more than ${MAX_TYPES_PER_STREAM} resource types on one stream`)
    }
    const type = new ServerType(this.#parts.source, request, this.#audience)
    const status: MutableStatus = {
      typeUrl,
      wildcard: type.wildcard,
      subscribedNames: 0,
      sentNonce: '',
      ackedNonce: '',
      nackedNonce: '',
      lastError: '',
      lastSentMs: 0,
      lastAnsweredMs: 0,
    }
    const entry: Entry = { type, status, ackTimer: undefined }
    this.#types.set(typeUrl, entry)
    this.#pushIfDue(entry)
  }

  /** An answer to an older response than the last says nothing new. */
  #onAnswer(entry: Entry, { responseNonce, errorDetail, typeUrl }: DeltaRequest): void {
    const { status } = entry
    if (entry.ackTimer === undefined || responseNonce !== status.sentNonce) return
    entry.ackTimer[Symbol.dispose]()
    entry.ackTimer = undefined
    status.lastAnsweredMs = this.#parts.clock.now()
    if (errorDetail === undefined) {
      status.ackedNonce = responseNonce
      return
    }
    // Not sent again: the same content would be refused again. The next version is.
    status.nackedNonce = responseNonce
    status.lastError = errorDetail.message
    this.#parts.onNack(typeUrl, errorDetail.message)
  }

  #pushIfDue(entry: Entry): void {
    if (entry.ackTimer !== undefined || !entry.type.isDue) return
    const isFirst = entry.status.sentNonce === ''
    const nonce = String(++this.#nonces)
    const response = entry.type.next(nonce)
    // What was noted may have turned out to be what the client has.
    if (!isFirst && response.resources.length + response.removedResources.length === 0) return
    entry.status.sentNonce = nonce
    entry.status.lastSentMs = this.#parts.clock.now()
    entry.ackTimer = this.#parts.clock.after(this.#ackTimeoutMs, () => this.#parts.onStuck(entry.type.typeUrl))
    this.#parts.send(response)
  }
}
