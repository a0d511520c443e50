import type { X509Certificate } from 'node:crypto'
import type { SpiffeId } from '@ambit/core'

/** What was negotiated, e.g. TLSv1.3, TLS_AES_256_GCM_SHA384, X25519MLKEM768. */
export interface TlsFacts {
  readonly version: string
  readonly cipher: string
  readonly keyExchange: string
}

/** A verified peer. */
export interface PeerIdentity {
  readonly identity: SpiffeId
  /** Leaf first, as far as the peer sent it and the trust bundle completes it. */
  readonly chain: readonly X509Certificate[]
}
