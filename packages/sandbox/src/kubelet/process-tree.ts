import { readFileSync } from 'node:fs'

/** Kills a process and everything below it, children first: those have no namespace whose end would be theirs. */
export function killTree(pid: number | undefined): void {
  if (pid === undefined) return
  for (const child of childrenOf(pid)) killTree(child)
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}

export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return text === '' ? [] : text.split(' ').map(Number)
  } catch {
    return []
  }
}
