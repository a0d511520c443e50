import { readdirSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

/**
 * The kubectl that KUBECTL names; else the oldest and the newest of this machine: `kubectl` of PATH and its siblings
 * `kubectl.1.27` and the like.
 */
export function installedKubectls(): readonly string[] {
  const asked = process.env['KUBECTL']
  if (asked) return [asked]
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const found = folders.flatMap((folder) => (list(folder).includes('kubectl') ? [join(folder, 'kubectl')] : []))
  const [first] = found
  if (first === undefined) throw new Error('these tests drive the real kubectl: install it and put it on PATH')
  const home = dirname(realpathSync(first))
  const versioned = list(home)
    .filter((name) => /^kubectl\.1\.\d+$/.test(name))
    .sort((a, b) => minorOf(a) - minorOf(b))
    .map((name) => join(home, name))
  return versioned.length < 2 ? [first] : [versioned[0] ?? first, versioned.at(-1) ?? first]
}

function minorOf(name: string): number {
  return Number(name.split('.').at(-1))
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
