/** Refusals that making room would not help against. */
const FINAL = [
  /^node\(s\) were unschedulable/,
  /untolerated taint/,
  /node affinity\/selector$/,
  /missing required label/,
  /volume node affinity conflict/,
  /pod affinity rules$/,
]

/** kube-scheduler's message about a pod that fits nowhere. */
export function unschedulableMessage(
  nodes: number,
  refusals: readonly (readonly string[])[],
  preemption: string | undefined,
): string {
  if (nodes === 0) return 'no nodes available to schedule pods'
  const message = `0/${nodes} nodes are available: ${counted(refusals.flat())}.`
  if (preemption === 'Never') return `${message} preemption: not eligible due to preemptionPolicy=Never.`
  const helpless = refusals.map((reasons) =>
    isFinal(reasons) ? 'Preemption is not helpful for scheduling' : 'No preemption victims found for incoming pod',
  )
  return `${message} preemption: 0/${nodes} nodes are available: ${counted(helpless)}.`
}

/** Whether no room that others make would help. */
export function isFinal(reasons: readonly string[]): boolean {
  return reasons.some((reason) => FINAL.some((final) => final.test(reason)))
}

/** The message about a pod that no node can help. */
export function hopelessMessage(nodes: number, why: string): string {
  const helpless = `${nodes} Preemption is not helpful for scheduling`
  return `0/${nodes} nodes are available: ${why}. preemption: 0/${nodes} nodes are available: ${helpless}.`
}

function counted(reasons: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ')
}
