import type { PathChange, PathMatch } from '@ambit/state'

export interface PathAndQuery {
  readonly path: string
  readonly query: string
}

/**
 * Replaces the path, or the prefix that the route matched (Gateway API: slashes at the end of both prefixes mean nothing).
 * A query that is part of the replacement takes the place of the request's. Text that was matched is replaced as it stands.
 */
export function changePath(sent: PathAndQuery, change: PathChange, match: PathMatch | undefined): PathAndQuery {
  if (change.kind === 'regex') return { path: rooted(change.replacement.apply(sent.path)), query: sent.query }
  const [replacement, query] = splitQuery(change.value)
  return { path: rooted(replaced(change.kind, replacement, sent.path, match)), query: query ?? sent.query }
}

function replaced(
  kind: Exclude<PathChange['kind'], 'regex'>,
  replacement: string,
  path: string,
  match: PathMatch | undefined,
): string {
  switch (kind) {
    case 'full':
      return replacement
    case 'prefix':
      return withoutSlash(replacement) + rest(path, match)
    case 'text-prefix':
      // Without a match it is the root that every path begins with.
      return replacement + path.slice(match?.kind === 'text-prefix' ? match.value.length : 1)
  }
}

function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`
}

/** What follows the matched prefix: empty or with a slash in front. */
function rest(path: string, match: PathMatch | undefined): string {
  if (match === undefined) return path
  return match.kind === 'prefix' ? path.slice(withoutSlash(match.value).length) : ''
}

function withoutSlash(prefix: string): string {
  return prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
}

function splitQuery(text: string): readonly [string, string | undefined] {
  const mark = text.indexOf('?')
  return mark < 0 ? [text, undefined] : [text.slice(0, mark), text.slice(mark + 1)]
}
