/** The longest turns of the event loop since it was made, by the wall and by CPU time of this thread. */
export class LoopWatch implements Disposable {
  longestMs = 0
  longestCpuMs = 0
  #stopped = false
  #wallMs = performance.now()
  #cpuUs = threadCpuUs()

  constructor() {
    this.#turn()
  }

  [Symbol.dispose](): void {
    this.#stopped = true
  }

  readonly #turn = (): void => {
    const wallMs = performance.now()
    const cpuUs = threadCpuUs()
    this.longestMs = Math.max(this.longestMs, wallMs - this.#wallMs)
    this.longestCpuMs = Math.max(this.longestCpuMs, (cpuUs - this.#cpuUs) / 1000)
    this.#wallMs = wallMs
    this.#cpuUs = cpuUs
    if (!this.#stopped) setImmediate(this.#turn)
  }
}

export function threadCpuUs(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}
