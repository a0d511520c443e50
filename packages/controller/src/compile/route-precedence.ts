import type { MeshRoute, RequestMatch } from '../route.types.ts'

/** One match of one rule, with what its rank among others depends on. */
export interface RankedMatch {
  readonly route: Pick<MeshRoute, 'kind' | 'namespace' | 'name' | 'createdMs'>
  readonly rule: number
  readonly index: number
  readonly match: RequestMatch
}

const PATH_RANK = { exact: 3, prefix: 2, 'text-prefix': 2, regex: 1 } as const

/** Gateway API's order; regular expressions come after prefixes, as they do in Istio. */
export function byPrecedence(a: RankedMatch, b: RankedMatch): number {
  return (
    pathRank(b) - pathRank(a) ||
    pathLength(b) - pathLength(a) ||
    Number(b.match.method !== '') - Number(a.match.method !== '') ||
    b.match.headers.length - a.match.headers.length ||
    b.match.query.length - a.match.query.length ||
    a.route.createdMs - b.route.createdMs ||
    compareText(`${a.route.namespace}/${a.route.name}`, `${b.route.namespace}/${b.route.name}`) ||
    compareText(a.route.kind, b.route.kind) ||
    a.rule - b.rule ||
    a.index - b.index
  )
}

/** A match of everything comes last of all, or no regular expression could ever match beside it. */
function pathRank({ match }: RankedMatch): number {
  const { path, method, headers, query } = match
  if (path === undefined) return 0
  if (isEveryPath(match) && method === '' && headers.length + query.length === 0) return 0
  return PATH_RANK[path.kind]
}

function pathLength({ match }: RankedMatch): number {
  return isEveryPath(match) ? 0 : (match.path?.value.length ?? 0)
}

function isEveryPath({ path }: RequestMatch): boolean {
  return path?.kind === 'prefix' && path.value === '/'
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
