import type { Workload, WorkloadStore } from '@ambit/state'
import type { WorkloadInfo } from './config.types.ts'
import { ConnectionFailure } from './failures.ts'
import { LOCAL_WORKLOAD_WAIT_MS, MAX_LOCAL_WORKLOAD_WAITERS } from './limits.ts'

/** The workload behind one pod's sockets, asked for at every connection because xDS may replace it. */
export class LocalWorkload {
  readonly #store: WorkloadStore
  readonly #info: WorkloadInfo
  readonly #timeoutMs: number
  #waiting = 0

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
    const workload = this.current() ?? (await this.#arrival(signal))
    if (workload !== undefined) return workload
    const { namespace, name, serviceAccount } = this.#info
    throw new ConnectionFailure(
      'unknown-local-workload',
      `failed to fetch information about local workload: timed out waiting for workload ${namespace}/${name} (service account ${serviceAccount}) from xds`,
    )
  }

  async #arrival(signal: AbortSignal | undefined): Promise<Workload | undefined> {
    if (this.#waiting >= MAX_LOCAL_WORKLOAD_WAITERS) {
      throw new ConnectionFailure('too-many-connections', 'too many connections wait for the workload of this pod')
    }
    this.#waiting++
    try {
      return await this.find(signal)
    } finally {
      this.#waiting--
    }
  }
}
