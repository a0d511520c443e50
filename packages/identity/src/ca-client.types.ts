import type { SpiffeId } from '@ambit/core'

export interface CertificateRequest {
  readonly csrPem: string
  readonly identity: SpiffeId
  readonly ttlSeconds: number
  readonly signal?: AbortSignal | undefined
}

/** Whoever signs requests, over the network or not. */
export interface CaClient {
  /** PEM texts: leaf, intermediates, and last the root bundle. */
  createCertificate(request: CertificateRequest): Promise<readonly string[]>
}
