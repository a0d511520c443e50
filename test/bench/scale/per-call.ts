import { threadCpuUs } from './loop-watch.ts'

/** CPU time of one call, microseconds: the least of several runs, as whatever disturbs a run only adds to it. */
export function perCallUs(call: (round: number) => unknown, budgetMs: number): number {
  let calls = 64
  // Not of the call: what the first ones prepare.
  for (let round = 0; round < calls; round++) call(round)
  // As many as fill a run, found by doubling.
  for (;;) {
    const took = runUs(call, calls)
    if (took >= (budgetMs * 1000) / RUNS || calls >= MAX_CALLS) break
    calls *= 2
  }
  let least = Number.POSITIVE_INFINITY
  for (let run = 0; run < RUNS; run++) least = Math.min(least, runUs(call, calls) / calls)
  return least
}

const RUNS = 5
const MAX_CALLS = 1 << 22

function runUs(call: (round: number) => unknown, calls: number): number {
  const started = threadCpuUs()
  for (let round = 0; round < calls; round++) call(round)
  return threadCpuUs() - started
}
