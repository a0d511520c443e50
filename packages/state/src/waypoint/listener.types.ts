import type { Route } from './destination.types.ts'

/** Where a gateway takes connections of clients, and what it does with their requests. */
export interface Listener {
  readonly name: string
  readonly port: number
  readonly hosts: readonly HostPattern[]
  /** Undefined: plain HTTP. */
  readonly tls: TlsTermination | undefined
  readonly virtualHosts: readonly VirtualHost[]
  /** Answers 301 to the same URL by https, whatever the routes say. */
  readonly httpsRedirect: boolean
}

/** In lower case. A suffix begins with its dot: it stands for every host with at least one label before it. */
export type HostPattern =
  | { readonly kind: 'any' }
  | { readonly kind: 'exact'; readonly hostname: string }
  | { readonly kind: 'suffix'; readonly suffix: string }

export interface VirtualHost {
  readonly hosts: readonly HostPattern[]
  readonly routes: readonly Route[]
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

export interface TlsTermination {
  /** Names of credentials; the first whose certificate names the host is shown, else the first of all. */
  readonly credentials: readonly string[]
  readonly clientCertificates: 'none' | 'optional' | 'required'
  /** Names of credentials with the CAs of clients; while one is missing no client is let in. */
  readonly clientAuthorities: readonly string[]
  /** A client's certificate needs one of them; empty: any. */
  readonly clientSubjectAltNames: readonly string[]
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
}

/** Key material of listeners; never printed. */
export interface Credential {
  readonly certificateChainPem: string
  readonly privateKeyPem: string
  readonly caPem: string
}
