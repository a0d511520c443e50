import type { PushedResponse } from './encode-response.ts'
import { XdsLimitError } from './errors.ts'
import { MAX_PUSH_BYTES, MAX_SUBSCRIBED_NAMES } from './limits.ts'
import type { DeltaRequest } from './method.ts'
import type { ResourceChange, ResourceSource, XdsResource } from './resource.types.ts'
import { couldSee, isVisible } from './visibility.ts'

/** What one stream has been told of one type, and what it is still to be told. No sockets. */
export class ServerType {
  readonly typeUrl: string
  readonly #source: ResourceSource
  readonly #audience: string | undefined
  readonly wildcard: boolean
  /** On-demand: names and aliases asked for. */
  readonly #subscribed = new Set<string>()
  /** On-demand, and wildcard until the first answer: name → version the client has. */
  readonly #sent = new Map<string, string>()
  /** Names whose state the client may not know. */
  readonly #dirty = new Set<string>()
  /** Names that must be answered even when nothing about them is new. */
  readonly #owed = new Set<string>()
  /** Names that are gone, with the time from which nothing the client holds names them: until then it is not told. */
  readonly #leaving = new Map<string, number>()
  /** Names whose time has come. */
  readonly #gone = new Set<string>()
  #started = false

  constructor(source: ResourceSource, initial: DeltaRequest, audience?: string) {
    const { typeUrl, resourceNamesSubscribe, resourceNamesUnsubscribe, initialResourceVersions } = initial
    this.typeUrl = typeUrl
    this.#source = source
    this.#audience = audience
    this.wildcard = resourceNamesSubscribe.includes('*')
      ? !resourceNamesUnsubscribe.includes('*')
      : resourceNamesSubscribe.length === 0 && resourceNamesUnsubscribe.length === 0
    for (const [name, version] of Object.entries(initialResourceVersions)) {
      // An empty version is a name asked for earlier and never seen.
      if (version !== '') this.#sent.set(name, version)
      else this.#owed.add(name)
    }
    if (!this.wildcard) this.subscribe([...this.#sent.keys(), ...this.#owed, ...resourceNamesSubscribe])
    for (const name of this.#sent.keys()) this.#dirty.add(name)
    if (!this.wildcard) for (const name of resourceNamesSubscribe) if (name !== '*') this.#owed.add(name)
  }

  get subscribedNames(): number {
    return this.#subscribed.size
  }

  /** Whether a response is due. The first is due even when it says nothing: clients wait for it. */
  get isDue(): boolean {
    return !this.#started || this.#dirty.size > 0 || this.#owed.size > 0
  }

  /** Lets go what left until then. */
  release(through: number): void {
    for (const [name, time] of this.#leaving) {
      if (time > through) continue
      this.#leaving.delete(name)
      this.#gone.add(name)
      this.#dirty.add(name)
    }
  }

  /** Subscription changes later on the stream. */
  change({ resourceNamesSubscribe, resourceNamesUnsubscribe }: DeltaRequest): void {
    for (const name of resourceNamesUnsubscribe) {
      this.#subscribed.delete(name)
      // Nor are answers kept for who does not take them while names come and go.
      this.#owed.delete(name)
      if (!this.wildcard) this.#forget(name)
    }
    if (this.wildcard || resourceNamesSubscribe.length === 0) return
    this.subscribe(resourceNamesSubscribe)
    for (const name of resourceNamesSubscribe) if (name !== '*') this.#owed.add(name)
  }

  /** The client has dropped it. */
  #forget(name: string): void {
    this.#sent.delete(name)
    this.#dirty.delete(name)
    this.#leaving.delete(name)
    this.#gone.delete(name)
  }

  subscribe(names: readonly string[]): void {
    for (const name of names) if (name !== '*') this.#subscribed.add(name)
    if (this.#subscribed.size > MAX_SUBSCRIBED_NAMES) {
      throw new XdsLimitError(`more than ${MAX_SUBSCRIBED_NAMES} names subscribed for ${this.typeUrl}`)
    }
  }

  /** Notes what of a change in the source concerns this stream. */
  note(change: ResourceChange): void {
    for (const resource of change.upserts) {
      const { name, aliases, belongsTo = [] } = resource
      if (!isVisible(resource, this.#audience) && !couldSee(change, name, this.#audience)) continue
      if (
        this.wildcard ||
        this.#sent.has(name) ||
        this.#wants(name, aliases) ||
        belongsTo.some((owner) => this.#sent.has(owner))
      )
        this.#dirty.add(name)
    }
    for (const name of change.removed) {
      if (!couldSee(change, name, this.#audience)) continue
      if (this.wildcard || this.#sent.has(name) || this.#subscribed.has(name)) this.#dirty.add(name)
    }
  }

  /** The next response, from the source as it is now; the rest waits for the one after. Removals leave at `now`, without it at once; who asks by name is answered at once. */
  next(nonce: string, now?: number): PushedResponse {
    const all = this.#started ? this.#pending() : this.#initial()
    this.#started = true
    const batch =
      now === undefined || !this.wildcard
        ? all
        : { ...all, removed: all.removed.filter((name) => this.#mayGo(name, now)) }
    return { typeUrl: this.typeUrl, nonce, resources: batch.upserts, removedResources: batch.removed }
  }

  #mayGo(name: string, now: number): boolean {
    if (this.#gone.delete(name)) return true
    this.#leaving.set(name, now)
    return false
  }

  #initial(): ResourceChange {
    if (!this.wildcard) return this.#pending(Number.POSITIVE_INFINITY)
    const held = this.#source.snapshot(this.typeUrl)
    const visible = (resource: XdsResource | undefined): boolean =>
      resource !== undefined && isVisible(resource, this.#audience)
    const upserts = [...held.values()].filter(
      (resource) => this.#sent.get(resource.name) !== resource.version && visible(resource),
    )
    const removed = [...this.#sent.keys(), ...this.#owed].filter((name) => !visible(held.get(name)))
    // From here on changes say what is new; thousands of streams need not each remember every version.
    this.#sent.clear()
    this.#dirty.clear()
    this.#owed.clear()
    return { upserts, removed }
  }

  #pending(budget: number = MAX_PUSH_BYTES): ResourceChange {
    const upserts = new Map<string, XdsResource>()
    const removed = new Set<string>()
    let bytes = 0
    const send = (resource: XdsResource): void => {
      if (upserts.has(resource.name)) return
      upserts.set(resource.name, resource)
      this.#leaving.delete(resource.name)
      this.#gone.delete(resource.name)
      bytes += resource.bytes.length
      if (!this.wildcard) this.#sent.set(resource.name, resource.version)
    }
    for (const name of this.#owed) {
      if (bytes >= budget) break
      this.#owed.delete(name)
      const resource = this.#lookup(name)
      if (resource === undefined) {
        removed.add(name)
        this.#sent.delete(name)
        continue
      }
      send(resource)
      for (const other of this.#source.related?.(this.typeUrl, resource) ?? []) {
        if (this.#sent.get(other.name) !== other.version && isVisible(other, this.#audience)) send(other)
      }
    }
    for (const name of this.#dirty) {
      if (bytes >= budget) break
      this.#dirty.delete(name)
      const resource = this.#lookup(name)
      // Found by an alias it is another resource.
      if (resource?.name !== name) {
        removed.add(name)
        this.#sent.delete(name)
      } else if (this.#sent.get(name) !== resource.version) send(resource)
    }
    return { upserts: [...upserts.values()], removed: [...removed] }
  }

  /** What the client may not see is not there. */
  #lookup(name: string): XdsResource | undefined {
    const resource = this.#source.lookup(this.typeUrl, name)
    return resource !== undefined && isVisible(resource, this.#audience) ? resource : undefined
  }

  #wants(name: string, aliases: readonly string[]): boolean {
    return this.#subscribed.has(name) || aliases.some((alias) => this.#subscribed.has(alias))
  }
}
