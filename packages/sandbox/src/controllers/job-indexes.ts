import type { Pod } from '../objects/pod.types.ts'

export const INDEX = 'batch.kubernetes.io/job-completion-index'
/** How often an index has failed before the pod that carries this. */
export const INDEX_FAILURES = 'batch.kubernetes.io/job-index-failure-count'

export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[INDEX]
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

/** `0-2,4` as numbers; what isn't such a list is empty. Nothing at or above `below` is taken. */
export function parseIndexes(text: string | undefined, below: number): Set<number> {
  const indexes = new Set<number>()
  for (const part of (text ?? '').split(',')) {
    const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? []
    if (first === undefined) continue
    const end = Math.min(Number(last ?? first), below - 1)
    for (let index = Number(first); index <= end; index++) indexes.add(index)
  }
  return indexes
}

/** Numbers as the API writes them: `0-2,4`. */
export function formatIndexes(indexes: Iterable<number>): string {
  const runs: [number, number][] = []
  for (const index of [...indexes].sort((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last !== undefined && index === last[1] + 1) last[1] = index
    else runs.push([index, index])
  }
  // Two in a row are written as two.
  return runs
    .map(([first, last]) =>
      first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`,
    )
    .join(',')
}
