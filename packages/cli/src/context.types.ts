import { ROOT_NAMESPACE } from '@ambit/api'
import type { Cluster } from './cluster/cluster.types.ts'
import type { Flags } from './grammar/command.types.ts'
import type { SandboxOperations } from './sandbox/sandbox-operations.types.ts'

/** Everything a command may touch. Built once, in app.ts. */
export interface Context {
  readonly out: (line: string) => void
  readonly err: (line: string) => void
  /** Marks such as ✔ in colour: stdout is a terminal and NO_COLOR is not set. */
  readonly colour: boolean
  readonly version: string
  /** The `deploy` folder of this checkout. */
  readonly deployFolder: string
  readonly now: () => number
  readonly sleep: (ms: number) => Promise<void>
  readonly readFile: (path: string) => Promise<string>
  readonly listFolder: (path: string) => Promise<readonly string[]>
  /** As a whole or not at all. */
  readonly writeFile: (path: string, text: string) => Promise<void>
  /** A line that the next one replaces; undefined takes it away. Only where stderr is a terminal. */
  readonly status?: (line: string | undefined) => void
  /** Shows these lines and no others, as far as they fit. Only where stdout is a terminal. */
  readonly screen?: (lines: readonly string[]) => void
  /** Resolves when the person interrupts (Ctrl-C) or the process is asked to end; never once `until` is over. */
  readonly interrupted: (until: AbortSignal) => Promise<void>
  /** Only where there is a desktop. */
  readonly openBrowser?: (url: string) => Promise<void>
  /** Asks a question on the terminal; false when stdin is not one. */
  readonly confirm: (question: string) => Promise<boolean>
  readonly cluster: (flags: Flags) => Promise<Cluster>
  /** The cluster of one kubeconfig file. */
  readonly clusterAt: (kubeconfigPath: string) => Promise<Cluster>
  readonly sandbox: () => Promise<SandboxOperations>
}

/** Namespace of the control plane: `-i`, else istio-system. */
export function istioNamespace(flags: Flags): string {
  return flags.text('istioNamespace') ?? ROOT_NAMESPACE
}
