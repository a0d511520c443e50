import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is left when nothing more can be collected, bytes. */
export async function settledMemory(): Promise<{ readonly held: number; readonly rss: number }> {
  let held = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    const { heapUsed, external } = process.memoryUsage()
    held = Math.min(held, heapUsed + external)
  }
  return { held, rss: process.memoryUsage.rss() }
}
