const WILDCARD = '*.'

/** Every host: not named, or `*`. */
export function isEveryHost(host: string): boolean {
  return host === '' || host === '*'
}

const LABELS = /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/

/** Whether proxies understand it: a name, `*.name`, `*` or nothing. */
export function isHost(host: string): boolean {
  return isEveryHost(host) || LABELS.test(host.startsWith(WILDCARD) ? host.slice(WILDCARD.length) : host)
}

/**
 * What both lists of hosts take, spelled as the narrower of each pair; an empty list takes every host. `*.example.com`
 * takes any number of labels before the dot, not the bare domain.
 */
export function intersectHosts(a: readonly string[], b: readonly string[]): readonly string[] {
  if (a.length === 0) return b.length === 0 ? ['*'] : b
  if (b.length === 0) return a
  const common = new Set<string>()
  for (const one of a)
    for (const other of b) {
      const host = narrower(one, other)
      if (host !== undefined) common.add(host)
    }
  return [...common]
}

function narrower(a: string, b: string): string | undefined {
  if (covers(a, b)) return isEveryHost(b) ? '*' : b
  return covers(b, a) ? a : undefined
}

/** Whether whatever `inner` takes `outer` takes too. */
function covers(outer: string, inner: string): boolean {
  if (isEveryHost(outer) || outer === inner) return true
  if (!outer.startsWith(WILDCARD)) return false
  const suffix = outer.slice(1)
  // Of "*.a.b" the part behind the star is ".a.b": longer than, and ending with, ".b".
  const text = inner.startsWith(WILDCARD) ? inner.slice(1) : inner
  return text.length > suffix.length && text.endsWith(suffix)
}
