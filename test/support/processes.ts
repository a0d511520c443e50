import { readdirSync, readFileSync } from 'node:fs'

/** Process ids below `ancestor` (as /proc shows them here) whose command line contains the text. */
export function descendants(ancestor: number, text: string): number[] {
  const parents = new Map<number, number>()
  const lines = new Map<number, string>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    try {
      // Field 4 of stat, counted after the command name, which is in brackets and may hold anything.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
      lines.set(pid, readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '))
    } catch {
      // Gone while we looked.
    }
  }
  const below = (pid: number): boolean => {
    for (let at = parents.get(pid); at !== undefined && at > 1; at = parents.get(at)) if (at === ancestor) return true
    return false
  }
  return [...lines].filter(([pid, line]) => line.includes(text) && below(pid)).map(([pid]) => pid)
}

/** Whether the process runs; one that only waits to be reaped does not. */
export function alive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}

/**
 * For how long the process has been ready to run, and others ran: its first thread, which runs its JavaScript, and that of the others
 * which was kept longest, for the first may wait for what a worker does.
 */
export function waitedForProcessorMs(pid: number): number {
  const waitedMs = (task: string): number => {
    const [, waitedNs = 0] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ').map(Number)
    return waitedNs / 1e6
  }
  const others = readdirSync(`/proc/${pid}/task`).filter((task) => task !== String(pid))
  return waitedMs(String(pid)) + Math.max(0, ...others.map(waitedMs))
}
