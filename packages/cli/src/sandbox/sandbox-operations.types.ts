/** The sandbox as the commands see it. */
export interface SandboxOperations {
  up(options: {
    readonly name: string
    readonly nodes: number | undefined
    /** Folder that keeps the cluster's objects and keys. */
    readonly data: string | undefined
    readonly onProgress: (line: string) => void
    readonly signal: AbortSignal
  }): Promise<StartedSandbox>
  /** False when there was none of that name. */
  down(name: string): Promise<boolean>
  status(name: string | undefined): readonly SandboxSummary[]
  /** Path of the kubeconfig. */
  kubeconfigOf(name: string): string
  /** Gives a program of this machine an image's name: `IMAGE=COMMAND`. */
  load(text: string, name: string | undefined): { readonly name: string; readonly command: readonly string[] }
  /** All names of images a sandbox knows; only loaded ones show what they run. */
  images(
    name: string | undefined,
  ): readonly { readonly name: string; readonly command: readonly string[] | undefined }[]
}

export interface StartedSandbox extends SandboxSummary {
  /** Not started by this call. */
  readonly wasRunning: boolean
}

export interface SandboxSummary {
  readonly name: string
  readonly nodes: number
  readonly apiUrl: string
  readonly kubeconfigPath: string
  readonly startedAt: string
}
