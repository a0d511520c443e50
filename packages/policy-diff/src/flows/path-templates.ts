import type { PathPattern } from '@ambit/state'
import { MAX_PATH_TEMPLATES, MAX_REMEMBERED_PATHS } from '../limits.ts'
import { OTHER_PATHS, templateOf } from './path-template.ts'

/** Templates of the paths at each destination, no more than a number of them. */
export class PathTemplates {
  readonly #policies: readonly PathPattern[]
  readonly #byDestination = new Map<string, Set<string>>()
  readonly #remembered = new Map<string, string>()
  /** Destinations with more templates than are kept. */
  readonly overflown: Set<string> = new Set()

  constructor(policies: readonly PathPattern[]) {
    this.#policies = policies
  }

  templateAt(destination: string, path: string): string {
    const template = this.#templateOf(path)
    const known = this.#byDestination.getOrInsertComputed(destination, () => new Set<string>())
    if (known.has(template)) return template
    if (known.size >= MAX_PATH_TEMPLATES) {
      this.overflown.add(destination)
      return OTHER_PATHS
    }
    known.add(template)
    return template
  }

  #templateOf(path: string): string {
    const known = this.#remembered.get(path)
    if (known !== undefined) return known
    if (this.#remembered.size >= MAX_REMEMBERED_PATHS) this.#remembered.clear()
    const template = templateOf(path, this.#policies)
    this.#remembered.set(path, template)
    return template
  }
}
