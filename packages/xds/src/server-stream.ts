import type { Clock, Logger } from '@ambit/core'
import type { PushedResponse } from './encode-response.ts'
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
  readonly send: (response: PushedResponse) => void
  /** The client did not answer a push in time. */
  readonly onStuck: (typeUrl: string) => void
  readonly onNack: (typeUrl: string, message: string) => void
}

/** Type to the types that its resources name. */
export type References = Readonly<Record<string, readonly string[]>>

type MutableStatus = { -readonly [K in keyof TypeStatus]: TypeStatus[K] }

interface Entry {
  readonly type: ServerType
  readonly status: MutableStatus
  ackTimer: Disposable | undefined
  /** Everything noted until then was sent, by the last response and by the last one that was answered. */
  sentThrough: number
  answeredThrough: number
}

/**
 * The conversation with one client. At most one response of each type is unanswered, so a slow client costs names to
 * remember and never a growing queue. What others name is sent before they do, and taken away after the client has
 * answered what no longer names it.
 */
export class ServerStream implements Disposable {
  readonly #parts: ServerStreamComponents
  readonly #ackTimeoutMs: number
  readonly #audience: string | undefined
  readonly #references: References
  /** Types that another names. */
  readonly #named: ReadonlySet<string>
  readonly #types = new Map<string, Entry>()
  #nonces = 0
  /** Counts what was noted. */
  #time = 0

  constructor(
    components: ServerStreamComponents,
    options: {
      readonly ackTimeoutMs: number
      readonly audience?: string | undefined
      readonly references?: References | undefined
    },
  ) {
    this.#parts = components
    this.#ackTimeoutMs = options.ackTimeoutMs
    this.#audience = options.audience
    this.#references = options.references ?? {}
    this.#named = new Set(Object.values(this.#references).flat())
  }

  onRequest(request: DeltaRequest): void {
    const entry = this.#types.get(request.typeUrl)
    if (entry === undefined) {
      this.#open(request)
      return
    }
    entry.type.change(request)
    if (request.responseNonce !== '') this.#onAnswer(entry, request)
    this.flush()
  }

  /** Notes a change of the source; `flush` sends it. */
  note(typeUrl: string, change: ResourceChange): void {
    this.#time++
    this.#types.get(typeUrl)?.type.note(change)
  }

  /** What becomes of one type can be what another has waited for; each is sent at most once until it is answered. */
  flush(): void {
    let sent: boolean
    do {
      sent = false
      for (const entry of this.#types.values()) if (this.#pushIfDue(entry)) sent = true
    } while (sent)
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
    this.#types.set(typeUrl, { type, status, ackTimer: undefined, sentThrough: 0, answeredThrough: 0 })
    this.flush()
  }

  /** An answer to an older response than the last says nothing new. */
  #onAnswer(entry: Entry, { responseNonce, errorDetail, typeUrl }: DeltaRequest): void {
    const { status } = entry
    if (entry.ackTimer === undefined || responseNonce !== status.sentNonce) return
    entry.ackTimer[Symbol.dispose]()
    entry.ackTimer = undefined
    entry.answeredThrough = entry.sentThrough
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

  /** Whether anything came of it. */
  #pushIfDue(entry: Entry): boolean {
    if (entry.ackTimer !== undefined) return false
    const { type } = entry
    const isNamed = this.#named.has(type.typeUrl)
    if (isNamed) type.release(this.#forgottenThrough(type.typeUrl))
    if (!type.isDue || this.#namesUnsent(type.typeUrl)) return false
    const isFirst = entry.status.sentNonce === ''
    const nonce = String(++this.#nonces)
    const response = type.next(nonce, isNamed ? this.#time : undefined)
    if (!type.isDue) entry.sentThrough = this.#time
    // What was noted may have turned out to be what the client has.
    if (!isFirst && response.resources.length + response.removedResources.length === 0) {
      entry.answeredThrough = entry.sentThrough
      return true
    }
    entry.status.sentNonce = nonce
    entry.status.lastSentMs = this.#parts.clock.now()
    entry.ackTimer = this.#parts.clock.after(this.#ackTimeoutMs, () => this.#parts.onStuck(type.typeUrl))
    this.#parts.send(response)
    return true
  }

  /** Whether its resources may name what the client was not sent yet. */
  #namesUnsent(typeUrl: string): boolean {
    return (this.#references[typeUrl] ?? []).some((named) => this.#types.get(named)?.type.isDue === true)
  }

  /** The time until which everything that names resources of the type was sent and answered. */
  #forgottenThrough(typeUrl: string): number {
    let through = Number.POSITIVE_INFINITY
    for (const { type, ackTimer, answeredThrough } of this.#types.values()) {
      if (this.#references[type.typeUrl]?.includes(typeUrl) !== true) continue
      if (ackTimer !== undefined || type.isDue) through = Math.min(through, answeredThrough)
    }
    return through
  }
}
