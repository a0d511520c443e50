export interface Outcome {
  /** Status, or -1 without an answer. */
  readonly code: number
  readonly ms: number
}

/** What a run gave, in the lines that the circuit breaking and rate limiting tasks look at. */
export function summary(
  outcomes: readonly Outcome[],
  o: { readonly connections: number; readonly tookMs: number },
): string {
  const times = outcomes.map(({ ms }) => ms).sort((a, b) => a - b)
  const at = (share: number): string => ((times[Math.floor(share * (times.length - 1))] ?? 0) / 1000).toFixed(6)
  const counts = new Map<number, number>()
  for (const { code } of outcomes) counts.set(code, (counts.get(code) ?? 0) + 1)
  const total = outcomes.length
  const mean = times.reduce((sum, ms) => sum + ms, 0) / Math.max(1, total)
  return [
    `Ended after ${(o.tookMs / 1000).toFixed(3)}s : ${total} calls. qps=${((total * 1000) / o.tookMs).toFixed(2)}`,
    ...[0.5, 0.75, 0.9, 0.99].map((share) => `# target ${share * 100}% ${at(share)}`),
    ...[...counts]
      .sort(([a], [b]) => a - b)
      .map(([code, count]) => `Code ${String(code).padStart(3)} : ${count} (${((count * 100) / total).toFixed(1)} %)`),
    `All done ${total} calls (plus 0 warmup) ${mean.toFixed(3)} ms avg, ${((total * 1000) / o.tookMs).toFixed(1)} qps`,
    '',
  ].join('\n')
}
