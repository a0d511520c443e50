import { readFileSync } from 'node:fs'
import { getHeapStatistics } from 'node:v8'

/** What a piece of work cost, in units that a busy machine does not change. */
export interface Costs {
  /** JavaScript objects made by this thread, bytes, whether or not they were collected since. */
  readonly allocated: number
  /** read(2), write(2) and their like, of all threads. */
  readonly systemCalls: number
}

interface HeapStatistics {
  readonly total_allocated_bytes: number
}

export function costsSoFar(): Costs {
  const text = readFileSync('/proc/self/io', 'latin1')
  const count = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1] ?? 0)
  // Not in Node's types yet.
  const { total_allocated_bytes } = getHeapStatistics() as unknown as HeapStatistics
  return { allocated: total_allocated_bytes, systemCalls: count('syscr') + count('syscw') }
}

/** Costs of one of `count` units of work; of what is done for the first time, `work(count)` is told beforehand. */
export async function costsOfEach(count: number, work: (count: number) => Promise<void> | void): Promise<Costs> {
  await work(count)
  let least: Costs | undefined
  // Compilers and collectors only add.
  for (let run = 0; run < 3; run++) {
    const before = costsSoFar()
    await work(count)
    const after = costsSoFar()
    const costs = {
      allocated: (after.allocated - before.allocated) / count,
      systemCalls: (after.systemCalls - before.systemCalls) / count,
    }
    least = {
      allocated: Math.min(costs.allocated, least?.allocated ?? Number.POSITIVE_INFINITY),
      systemCalls: Math.min(costs.systemCalls, least?.systemCalls ?? Number.POSITIVE_INFINITY),
    }
  }
  return least ?? { allocated: Number.NaN, systemCalls: Number.NaN }
}
