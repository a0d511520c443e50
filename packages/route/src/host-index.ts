import type { HostPattern } from '@ambit/state'
import { MAX_HOST_CHARACTERS } from './limits.ts'

/** Values by patterns of hosts: the most specific pattern finds its value, of equal ones the first. */
export class HostIndex<T> {
  readonly #exact = new Map<string, T>()
  readonly #suffixes = new Map<string, T>()
  #any: { readonly value: T } | undefined

  constructor(entries: Iterable<readonly [readonly HostPattern[], T]>) {
    for (const [hosts, value] of entries) for (const host of hosts) this.#add(host, value)
  }

  /** By a host in lower case without port: an exact pattern, then the longest suffix, then that for every host. */
  find(host: string): T | undefined {
    // Each dot of a longer one would cost as much as all of it.
    if (host.length > MAX_HOST_CHARACTERS) return this.#any?.value
    const exact = this.#exact.get(host)
    if (exact !== undefined) return exact
    // The label before a suffix must not be empty.
    for (let dot = host.indexOf('.', 1); dot !== -1 && this.#suffixes.size > 0; dot = host.indexOf('.', dot + 1)) {
      const found = this.#suffixes.get(host.slice(dot))
      if (found !== undefined) return found
    }
    return this.#any?.value
  }

  #add(host: HostPattern, value: T): void {
    if (host.kind === 'any') this.#any ??= { value }
    else if (host.kind === 'exact') addFirst(this.#exact, host.hostname, value)
    else addFirst(this.#suffixes, host.suffix, value)
  }
}

function addFirst<T>(map: Map<string, T>, key: string, value: T): void {
  if (!map.has(key)) map.set(key, value)
}

/** The host of an authority, as patterns are compared with: in lower case and without port. */
export function hostOfAuthority(authority: string): string {
  return authority.replace(/:\d*$/, '').toLowerCase()
}
