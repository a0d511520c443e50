/** One resource as delta xDS carries it; `bytes` is the encoded message inside the Any. */
export interface ReceivedResource {
  readonly name: string
  readonly bytes: Uint8Array
}

/** What one xDS response changes for one type. */
export interface ResourceChange {
  readonly upserts: readonly ReceivedResource[]
  readonly removed: readonly string[]
}

/** A resource that was refused; the others of the same change are applied nevertheless. */
export interface RejectedResource {
  readonly name: string
  readonly reason: string
}
