/** One named resource; `bytes` is the encoded message, which this package never looks into. */
export interface XdsResource {
  readonly name: string
  /** Changes exactly when the content does. */
  readonly version: string
  /** Further names the resource may be asked for by. */
  readonly aliases: readonly string[]
  /** Names of resources whose followers need this one too: a workload belongs to its services. */
  readonly belongsTo?: readonly string[] | undefined
  /** Who alone may see it, by names this package gives no meaning; undefined: everybody. */
  readonly audience?: Audience
  readonly bytes: Uint8Array
}

export type Audience = readonly string[] | undefined

export interface ResourceChange {
  readonly upserts: readonly XdsResource[]
  readonly removed: readonly string[]
  /** Who could see the changed resources until now, of those that not everybody could: who could has to forget. */
  readonly formerAudiences?: ReadonlyMap<string, readonly string[]> | undefined
}

export interface RejectedResource {
  readonly name: string
  readonly reason: string
}

/** Where a server takes resources from. */
export interface ResourceSource {
  snapshot(typeUrl: string): ReadonlyMap<string, XdsResource>
  lookup(typeUrl: string, nameOrAlias: string): XdsResource | undefined
  /** Resources that a client asking for this one will need next, for example the workloads of a service. */
  related?(typeUrl: string, resource: XdsResource): Iterable<XdsResource>
  /** Calls back after the change is visible in `snapshot` and `lookup`. */
  subscribe(listener: (typeUrl: string, change: ResourceChange) => void): Disposable
}

/** One resource type a client wants, and who takes what arrives. */
export interface TypeSubscription {
  readonly typeUrl: string
  readonly mode: 'wildcard' | 'on-demand'
  /**
   * Applies what it can and returns what it refuses; that is sent back as a NACK. With a promise nothing further of any type is applied
   * before it is kept.
   */
  apply(change: ResourceChange): readonly RejectedResource[] | Promise<readonly RejectedResource[]>
}
