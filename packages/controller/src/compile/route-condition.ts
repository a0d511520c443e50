import type { RefProblem } from './route.ts'

/** What a route's status says of one parent (words of Istio and Gateway API). */
export interface RouteCondition {
  readonly type: 'Accepted' | 'ResolvedRefs' | 'ResolvedWaypoints'
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

/** How the parent and its waypoint take the route. */
export interface ParentFacts {
  /** Undefined: found, with the port if one is named, and it takes the route. */
  readonly parentProblem: Problem
  /** Of how many of the parent's listeners take the route; undefined: it has none. */
  readonly bound?: number
  /** Undefined: there is a waypoint that honours the route, or the parent needs none. */
  readonly waypointProblem: { readonly reason: string; readonly message: string } | undefined
}

export function routeConditions(
  { parentProblem, waypointProblem, bound = 1 }: ParentFacts,
  unsupported: readonly string[],
  refs: readonly RefProblem[],
): readonly RouteCondition[] {
  const [firstRef] = refs
  return [
    condition(
      'Accepted',
      acceptance(parentProblem, unsupported),
      'Accepted',
      bound > 1 ? `Route was valid, bound to ${bound} parents` : 'Route was valid',
    ),
    condition(
      'ResolvedRefs',
      firstRef && { reason: firstRef.reason, message: refs.map(({ message }) => message).join('; ') },
      'ResolvedRefs',
      'All references resolved',
    ),
    condition('ResolvedWaypoints', waypointProblem, 'ResolvedWaypoints', 'All waypoints resolved'),
  ]
}

export const MISSING_USE_WAYPOINT = {
  reason: 'MissingUseWaypointLabel',
  message:
    'istio.io/use-waypoint label missing from parent and parent namespace; in ambient mode, route will not be respected',
} as const

export const NO_MATCHING_PARENT = { reason: 'NoMatchingParent', message: 'parent not found' } as const

type Problem = { readonly reason: string; readonly message: string } | undefined

function acceptance(parentProblem: Problem, unsupported: readonly string[]): Problem {
  if (parentProblem !== undefined) return parentProblem
  if (unsupported.length === 0) return undefined
  return { reason: 'UnsupportedValue', message: `${unsupported.join('; ')}: requests of the rule are answered 500` }
}

function condition(type: RouteCondition['type'], problem: Problem, reason: string, message: string): RouteCondition {
  return problem === undefined ? { type, status: 'True', reason, message } : { type, status: 'False', ...problem }
}
