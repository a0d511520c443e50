/** Worst first. */
export const LEVELS = ['Error', 'Warning', 'Info'] as const

/** Something an installation or an upgrade would stumble over, under the code that Istio gives it. */
export interface PrecheckMessage {
  readonly code: string
  readonly level: (typeof LEVELS)[number]
  /** What it is about: `Cluster`, or `Kind ns/name`. */
  readonly origin: string
  readonly message: string
}
