import type { Workload, WorkloadStore } from '@ambit/state'
import type { WorkloadInfo } from './config.types.ts'
import { ConnectionFailure } from './failures.ts'
import { LOCAL_WORKLOAD_WAIT_MS } from './limits.ts'

/** The workload behind one pod's sockets, asked for at every connection because xDS may replace it. */
export class LocalWorkload {
  readonly #store: WorkloadStore
  readonly #info: WorkloadInfo
  readonly #timeoutMs: number

  constructor(store: WorkloadStore, info: WorkloadInfo, timeoutMs: number = LOCAL_WORKLOAD_WAIT_MS) {
    this.#store = store
    this.#info = info
    this.#timeoutMs = timeoutMs
  }

  /** As it is known now. */
  current(): Workload | undefined {
    return this.#store.localWorkload(this.#info)
  }

  /** Undefined when it does not arrive in time. */
  async find(signal?: AbortSignal): Promise<Workload | undefined> {
    return (
      this.current() ?? (await this.#store.waitForLocalWorkload(this.#info, { timeoutMs: this.#timeoutMs, signal }))
    )
  }

  async get(signal?: AbortSignal): Promise<Workload> {
    const workload = await this.find(signal)
    if (workload !== undefined) return workload
    const { namespace, name, serviceAccount } = this.#info
    throw new ConnectionFailure(
      'unknown-local-workload',
      `failed to fetch information about local workload: timed out waiting for workload ${namespace}/${name} (service account ${serviceAccount}) from xds`,
    )
  }
}
