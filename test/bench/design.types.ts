import type { BenchCa } from './ca.ts'
import type { Namespaces } from './namespaces.ts'
import type { Process } from './processes.ts'

export interface Surroundings {
  readonly namespaces: Namespaces
  readonly ca: BenchCa
  /** A folder for configuration files. */
  readonly folder: string
}

/** One way from the client to the server. */
export interface Design {
  readonly name: string
  readonly summary: string
  readonly target: { readonly host: string; readonly port: number }
  /** Authority of an HTTP CONNECT that the client sends first. */
  readonly connectTo?: string
  /** Why it cannot run here, if so. */
  readonly missing?: string | undefined
  readonly start: (surroundings: Surroundings) => Promise<readonly Process[]>
}
