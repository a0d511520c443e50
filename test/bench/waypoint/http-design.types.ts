import type { Namespaces } from '../namespaces.ts'
import type { Process } from '../processes.ts'
import type { BenchControlPlane } from './control-plane.ts'
import type { CredentialFiles } from './credential-files.ts'

/** What the client speaks. */
export type HttpVersion = 'h1' | 'h2'

export interface HttpSurroundings {
  readonly namespaces: Namespaces
  readonly controlPlane: BenchControlPlane
  readonly credentials: CredentialFiles
  /** A folder for configuration files. */
  readonly folder: string
  /** Ends every process that a design starts. */
  readonly stack: AsyncDisposableStack
}

/** A design that runs, and how requests reach it. */
export interface Running {
  readonly target: { readonly host: string; readonly port: number }
  /** Authority of an HTTP CONNECT that the client sends first. */
  readonly connectTo?: string
  /** What is measured. */
  readonly subjects: readonly Process[]
  /** What encrypts before it and decrypts after it, the same program for every design. */
  readonly ends: readonly Process[]
}

/** One way of a request from the client to the server. */
export interface HttpDesign {
  readonly name: string
  readonly summary: string
  readonly versions: readonly HttpVersion[]
  /** It lets in GET below /api/ and nothing else. */
  readonly judges: boolean
  /** Just-in-time compilation takes a while. */
  readonly warmUpFactor?: number
  /** Why it cannot run here, if so. */
  readonly missing?: string | undefined
  readonly start: (surroundings: HttpSurroundings, version: HttpVersion) => Promise<Running>
}
