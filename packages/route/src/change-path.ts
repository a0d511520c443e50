import type { PathChange, PathMatch } from '@ambit/state'

export interface PathAndQuery {
  readonly path: string
  readonly query: string
}

/**
 * Replaces the path, or the prefix that the route matched (Gateway API: slashes at the end of both prefixes mean nothing).
 * A query that is part of the replacement takes the place of the request's.
 */
export function changePath(sent: PathAndQuery, change: PathChange, match: PathMatch | undefined): PathAndQuery {
  const [replacement, query] = splitQuery(change.value)
  const path = change.kind === 'full' ? replacement : withoutSlash(replacement) + rest(sent.path, match)
  return { path: path.startsWith('/') ? path : `/${path}`, query: query ?? sent.query }
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
