import { MAX_WORKER_THREADS, MIN_WORKER_THREADS, WORKER_THREADS_SHARE } from './limits.ts'

export interface WorkerThreadsRequest {
  /** `n`, `n%` of the CPUs, or 0 for one for each. */
  readonly wanted: string | undefined
  /** `concurrency` of the proxy configuration. */
  readonly concurrency: number | undefined
  readonly cpus: number
  /** CPUs of the container's resources, as far as they were told explicitly. */
  readonly limit: number | undefined
  readonly requested: number | undefined
}

/** Threads that move bytes (Istio). Undefined for what cannot be understood. */
export function workerThreads({
  wanted,
  concurrency,
  cpus,
  limit,
  requested,
}: WorkerThreadsRequest): number | undefined {
  const count = wanted === undefined || wanted === '' ? fallback() : parse(wanted)
  return count === undefined ? undefined : Math.min(MAX_WORKER_THREADS, Math.max(1, Math.ceil(count)))

  function parse(text: string): number | undefined {
    const [, digits, percent] = /^(\d+)(%?)$/.exec(text) ?? []
    if (digits === undefined) return undefined
    const number = Number(digits)
    if (percent === '%') return number > 100 ? undefined : (cpus * number) / 100
    return number === 0 ? cpus : number
  }

  function fallback(): number {
    if (concurrency !== undefined) return concurrency === 0 ? cpus : concurrency
    if (limit !== undefined) return limit
    return Math.max(MIN_WORKER_THREADS, Math.ceil(cpus * WORKER_THREADS_SHARE), requested ?? 0)
  }
}
