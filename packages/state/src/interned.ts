import { MAX_INTERNED } from './limits.ts'

/**
 * One value for all that are equal: what thousands of workloads have in common is held once. Forgets everything when full, which costs
 * memory and nothing else.
 */
export class Interned<T> {
  readonly #held = new Map<string, T>()

  get(key: string, make: () => T): T {
    const known = this.#held.get(key)
    if (known !== undefined) return known
    if (this.#held.size >= MAX_INTERNED) this.#held.clear()
    const made = make()
    this.#held.set(key, made)
    return made
  }
}

/** A key that is different for different texts, whatever is in them. */
export function keyOfTexts(texts: readonly string[]): string {
  let key = ''
  for (const text of texts) key += `${text.length}:${text}`
  return key
}
