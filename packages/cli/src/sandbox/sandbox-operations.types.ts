/** The sandbox as the commands see it. */
export interface SandboxOperations {
  up(options: {
    readonly name: string
    readonly nodes: number
    readonly foreground: boolean
    readonly onProgress: (line: string) => void
  }): Promise<SandboxSummary>
  /** False when there was none of that name. */
  down(name: string): Promise<boolean>
  status(name: string | undefined): Promise<readonly SandboxSummary[]>
  /** Path of the kubeconfig. */
  kubeconfigOf(name: string): Promise<string>
}

export interface SandboxSummary {
  readonly name: string
  readonly running: boolean
  readonly nodes: number
  readonly apiUrl: string
  readonly kubeconfigPath: string
  /** Resolves when a sandbox in the foreground ends. */
  readonly ended?: Promise<void> | undefined
}
