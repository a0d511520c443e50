import type { Clock } from '@ambit/core'

/** A clock that never waits. */
export const eager: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(_ms, callback) {
    const timer = setImmediate(callback)
    return { [Symbol.dispose]: () => clearImmediate(timer) }
  },
  async sleep(_ms, signal) {
    await new Promise<void>((resolve) => setImmediate(resolve))
    signal?.throwIfAborted()
  },
}
