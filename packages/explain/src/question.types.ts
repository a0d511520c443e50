/** A connection or a request that is, was or could be made. */
export interface Question {
  readonly from: ClientRef
  readonly to: TargetRef
  /** Absent: a connection of which only the bytes are known. */
  readonly request?: AskedRequest | undefined
  /** Server name of the client's own TLS. */
  readonly sni?: string | undefined
  /** The client's address instead of its pod's. */
  readonly sourceIp?: string | undefined
}

export type ClientRef =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string }
  /** Any pod of the account; without one that runs, the account alone is asked about. */
  | { readonly kind: 'account'; readonly namespace: string; readonly serviceAccount: string }
  /** `spiffe://…` as a certificate has it, for one of another trust domain; of the mesh's own the same as its account. */
  | {
      readonly kind: 'identity'
      readonly identity: string
      /** Its certificate is taken for granted, even where nothing that runs as the account is captured. */
      readonly isProven?: boolean | undefined
    }
  /** Somebody without an identity of the mesh. */
  | { readonly kind: 'outside'; readonly ip?: string | undefined }

export type TargetRef =
  | { readonly kind: 'service'; readonly namespace: string; readonly name: string; readonly port?: number | undefined }
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string; readonly port?: number | undefined }
  /** A host name or an address, as an application would dial it. */
  | { readonly kind: 'host'; readonly host: string; readonly port?: number | undefined }

export interface AskedRequest {
  readonly method: string
  /** With query, as the client sends it. */
  readonly path: string
  /** Absent: the name it dials. */
  readonly host?: string | undefined
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined
  /** Claims of a token that RequestAuthentication accepts. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}
