// Plain JavaScript: read by whatever Node (>= 20) the machine has.
import { readdirSync, readFileSync } from 'node:fs'

/** All processes below one, parents first, each with its command line: a program's children outlive it when it alone is killed. */
export function descendantsOf(root) {
  const children = new Map()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      // The name in brackets may hold anything, brackets too.
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      const siblings = children.get(parent) ?? []
      siblings.push({ pid: Number(entry), command })
      children.set(parent, siblings)
    } catch {
      // It ended while we looked.
    }
  }
  const found = []
  const walk = (pid) => {
    for (const child of children.get(pid) ?? []) {
      found.push(child)
      walk(child.pid)
    }
  }
  walk(root)
  return found
}
