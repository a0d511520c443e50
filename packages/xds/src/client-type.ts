import { discoverypb } from '@ambit/api'
import { TimeSlices } from '@ambit/core'
import { create } from '@bufbuild/protobuf'
import type { DeltaResponse, ReceivedResource } from './delta-response.ts'
import { XdsClosedError, XdsLimitError } from './errors.ts'
import { MAX_DEMANDED_NAMES, MAX_RESOURCES_PER_STEP, READ_SLICE_MS } from './limits.ts'
import type { DeltaRequest } from './method.ts'
import { nackText } from './nack-text.ts'
import type { RejectedResource, TypeSubscription, XdsResource } from './resource.types.ts'

/** What a response led to: the answer to send and what was refused. */
export interface AppliedResponse {
  readonly answer: DeltaRequest
  readonly rejected: readonly RejectedResource[]
}

/** What a client holds of one type, across connections. */
export class ClientType {
  readonly subscription: TypeSubscription
  /**
   * Name → version of everything held. A refused version is never noted, so that it is sent again; the earlier one that
   * stays in use is, or a control plane would not tell a client that reconnects of its removal.
   */
  readonly #versions = new Map<string, string>()
  /** Refused, with no earlier version held: the subscriber may have put something strict in their place. */
  readonly #refused = new Set<string>()
  readonly #demanded = new Set<string>()
  /** Those of the demanded that do not exist, in the order in which that was told. */
  readonly #absent = new Set<string>()
  /** Name of what is held → the aliases it was demanded by. */
  readonly #demandedAs = new Map<string, readonly string[]>()
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>()
  #acked = false

  constructor(subscription: TypeSubscription) {
    this.subscription = subscription
  }

  /** Whether a response of this type has been accepted whole at least once. */
  get acked(): boolean {
    return this.#acked
  }

  initialRequest(node: discoverypb.Node): DeltaRequest {
    const initialResourceVersions: Record<string, string> = {}
    // Demanded names without a version are asked for again; one answered by an alias must stay subscribed by that alias.
    for (const name of this.#demanded) initialResourceVersions[name] = ''
    // Named without a version they are sent again, or, gone meanwhile, their removal is: what stands in must end, too.
    for (const name of this.#refused) initialResourceVersions[name] = ''
    for (const [name, version] of this.#versions) initialResourceVersions[name] = version
    // Subscribing to and unsubscribing from everything at once means: nothing but what is named.
    const nothing = this.subscription.mode === 'on-demand' ? ['*'] : []
    return create(discoverypb.DeltaDiscoveryRequestSchema, {
      node,
      typeUrl: this.subscription.typeUrl,
      resourceNamesSubscribe: nothing,
      resourceNamesUnsubscribe: nothing,
      initialResourceVersions,
    })
  }

  /** Notes that the name is wanted; the promise resolves with its arrival or with the news that there is no such thing. */
  demand(name: string): { readonly answered: Promise<void>; readonly request: DeltaRequest | undefined } {
    const waiting = this.#waiting.get(name)
    if (waiting !== undefined) return { answered: waiting.promise, request: undefined }
    if (this.#demanded.has(name)) return { answered: Promise.resolve(), request: undefined }
    // What names are demanded is up to applications: one that tries addresses at random must not shut the others out.
    const given = this.#demanded.size < MAX_DEMANDED_NAMES ? [] : [...this.#absent.values().take(1)]
    for (const old of given) {
      this.#absent.delete(old)
      this.#demanded.delete(old)
    }
    if (this.#demanded.size >= MAX_DEMANDED_NAMES) {
      const error = new XdsLimitError(`${MAX_DEMANDED_NAMES} names are already asked for: ${name} is not`)
      return { answered: Promise.reject(error), request: undefined }
    }
    const added = Promise.withResolvers<void>()
    // Nobody need wait.
    added.promise.catch(() => {})
    this.#demanded.add(name)
    this.#waiting.set(name, added)
    const { typeUrl } = this.subscription
    const request = create(discoverypb.DeltaDiscoveryRequestSchema, {
      typeUrl,
      resourceNamesSubscribe: [name],
      resourceNamesUnsubscribe: given,
    })
    return { answered: added.promise, request }
  }

  /** Hands a response to the subscriber and says what to answer; a large one in pieces. Throws on a response that can not be read. */
  apply(response: DeltaResponse): AppliedResponse | Promise<AppliedResponse> {
    if (response.size + response.removed.length > MAX_RESOURCES_PER_STEP) return this.#applyLarge(response)
    const sorted = this.#sorting()
    for (const resource of response.resources()) sorted.add(resource)
    const { upserts, foreign } = sorted
    const applied = this.subscription.apply({ upserts, removed: response.removed })
    const finish = (refused: readonly RejectedResource[]): AppliedResponse => {
      const rejected = [...foreign, ...refused]
      for (const _ of this.#noting(response.removed, upserts, rejected));
      return this.#answerTo(response, rejected)
    }
    return applied instanceof Promise ? applied.then(finish) : finish(applied)
  }

  /** Nothing of it is applied before all of it is read. */
  async #applyLarge(response: DeltaResponse): Promise<AppliedResponse> {
    const slices = new TimeSlices(READ_SLICE_MS)
    const { removed } = response
    const sorted = this.#sorting()
    for (const resource of response.resources()) {
      sorted.add(resource)
      if (slices.isOver) await slices.next()
    }
    const rejected = [...sorted.foreign, ...(await this.subscription.apply({ upserts: sorted.upserts, removed }))]
    await slices.next()
    for (const _ of this.#noting(removed, sorted.upserts, rejected)) if (slices.isOver) await slices.next()
    return this.#answerTo(response, rejected)
  }

  /** Notes what is held since; a step for each resource. */
  *#noting(
    removed: readonly string[],
    upserts: readonly XdsResource[],
    rejected: readonly RejectedResource[],
  ): Generator<void> {
    const refused = new Set(rejected.map(({ name }) => name))
    for (const name of removed) {
      this.#versions.delete(name)
      this.#refused.delete(name)
      yield
    }
    for (const { name, version } of upserts) {
      if (!refused.has(name)) {
        this.#versions.set(name, version)
        this.#refused.delete(name)
      } else if (!this.#versions.has(name)) this.#refused.add(name)
      yield
    }
    for (const name of removed) {
      for (const known of [name, ...(this.#demandedAs.get(name) ?? [])]) {
        if (this.#demanded.has(known)) this.#absent.add(known)
      }
      this.#demandedAs.delete(name)
      this.#answer(name)
      yield
    }
    // Who demands nothing waits for nothing.
    if (this.#demanded.size === 0) return
    for (const { name, aliases } of upserts) {
      const by = aliases.filter((alias) => this.#demanded.has(alias))
      if (by.length > 0) this.#demandedAs.set(name, by)
      for (const known of [name, ...aliases]) {
        this.#absent.delete(known)
        this.#answer(known)
      }
      yield
    }
  }

  #answerTo({ typeUrl, nonce }: DeltaResponse, rejected: readonly RejectedResource[]): AppliedResponse {
    if (rejected.length === 0) this.#acked = true
    const answer = create(discoverypb.DeltaDiscoveryRequestSchema, {
      typeUrl,
      responseNonce: nonce,
      ...(rejected.length === 0 ? {} : { errorDetail: { message: nackText(rejected) } }),
    })
    return { answer, rejected }
  }

  close(): void {
    const error = new XdsClosedError(`the xDS client is closed; ${this.subscription.typeUrl} will not arrive`)
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  #answer(name: string): void {
    this.#waiting.get(name)?.resolve()
    this.#waiting.delete(name)
  }

  #sorting(): {
    readonly upserts: readonly XdsResource[]
    readonly foreign: readonly RejectedResource[]
    add(resource: ReceivedResource): void
  } {
    const upserts: XdsResource[] = []
    const foreign: RejectedResource[] = []
    const add = ({ name, version, aliases, bytes, contentType }: ReceivedResource): void => {
      if (contentType === undefined) foreign.push({ name, reason: 'resource has no content' })
      else if (contentType !== this.subscription.typeUrl) {
        foreign.push({ name, reason: `content is ${contentType}, want ${this.subscription.typeUrl}` })
      } else upserts.push({ name, version, aliases, bytes })
    }
    return { upserts, foreign, add }
  }
}
