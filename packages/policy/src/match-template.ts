import type { PathSegment } from '@ambit/state'

const SLASH = '/'

/**
 * Compiles a path template. `{*}` is one segment that is not empty; `{**}` is any text, slashes included and none at all, between the
 * slashes it is written between. As nothing but literals may follow `{**}`, each character of a path is looked at no more than twice.
 */
export function compileTemplate(segments: readonly PathSegment[]): (path: string) => boolean {
  const rest = segments.findIndex(({ kind }) => kind === 'any-number')
  const head = compileHead(rest < 0 ? segments : segments.slice(0, rest))
  if (rest < 0) return (path) => head(path) === path.length
  const tail = segments.slice(rest + 1).map((segment) => (segment.kind === 'literal' ? SLASH + segment.value : SLASH))
  const ending = tail.join('')
  return (path) => {
    const end = head(path)
    if (end < 0 || path.charAt(end) !== SLASH) return false
    return path.length - ending.length > end && path.endsWith(ending)
  }
}

/** Where the path goes on behind the segments, each with its slash before it, or -1; always at a slash or at the end. */
function compileHead(segments: readonly PathSegment[]): (path: string) => number {
  return (path) => {
    let at = 0
    for (const segment of segments) {
      if (path.charAt(at) !== SLASH) return -1
      const found = path.indexOf(SLASH, at + 1)
      const end = found < 0 ? path.length : found
      if (segment.kind === 'literal') {
        if (end - at - 1 !== segment.value.length || !path.startsWith(segment.value, at + 1)) return -1
      } else if (end === at + 1) return -1
      at = end
    }
    return at
  }
}
