import type { PathMatch } from '@ambit/state'

const SLASH = 47

export function matchPath(match: PathMatch, path: string): boolean {
  switch (match.kind) {
    case 'exact':
      return (match.ignoresCase === true ? lowerAscii(path) : path) === match.value
    case 'text-prefix':
      return (match.ignoresCase === true ? lowerAscii(path) : path).startsWith(match.value)
    case 'prefix':
      return hasSegmentPrefix(path, match.value)
    case 'regex':
      return match.pattern.test(path)
  }
}

/** No other letters are the same in Envoy. */
function lowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** Whether the path is the prefix or lies below it; a slash at the end of the prefix means nothing (Gateway API). */
export function hasSegmentPrefix(path: string, prefix: string): boolean {
  if (!prefix.endsWith('/')) {
    return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === SLASH)
  }
  return path.startsWith(prefix) || (path.length === prefix.length - 1 && prefix.startsWith(path))
}
