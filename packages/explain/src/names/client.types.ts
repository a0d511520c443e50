import type { Pod } from '@ambit/controller/judgement'
import type { Ip, SpiffeId } from '@ambit/core'
import type { Workload } from '@ambit/state'

/** Who asks. */
export interface Client {
  /** `namespace/name` of the pod or account, or an address. */
  readonly name: string
  /** Undefined: no pod that runs. */
  readonly pod: Pod | undefined
  readonly namespace: string
  /** What a proxy would know it as; undefined: somebody outside of the mesh's cluster. */
  readonly workload: Workload | undefined
  /** Proved by its certificate where its connections are captured. */
  readonly identity: SpiffeId | undefined
  readonly ip: Ip
  /** Whether its ztunnel takes its connections. */
  readonly isCaptured: boolean
  /** Why it is, or is not. */
  readonly because: string
  readonly gaps: readonly string[]
}
