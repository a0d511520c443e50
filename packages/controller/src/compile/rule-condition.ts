import type { RefProblem } from './route.ts'
import type { RouteCondition } from './route-condition.ts'

export interface RuleFacts {
  /** What can not be followed: its requests are refused. */
  readonly refused: readonly string[]
  /** What is left out. */
  readonly notes: readonly string[]
  readonly refs: readonly RefProblem[]
  /** Undefined: it is for no waypoint. */
  readonly waypoint: { readonly problem: Pick<RouteCondition, 'reason' | 'message'> | undefined } | undefined
}

/** Longest message, characters: what stands in an object is somebody's to read. */
const MAX_MESSAGE = 2048

/** What the status of a VirtualService or DestinationRule says, in the words for routes. */
export function ruleConditions({ refused, notes, refs, waypoint }: RuleFacts): readonly RouteCondition[] {
  const [firstRef] = refs
  return [
    acceptance(refused, notes),
    firstRef === undefined
      ? { type: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: 'All references resolved' }
      : {
          type: 'ResolvedRefs',
          status: 'False',
          reason: firstRef.reason,
          message: short([...new Set(refs.map(({ message }) => message))].join('; ')),
        },
    ...(waypoint === undefined ? [] : [waypointCondition(waypoint.problem)]),
  ]
}

function acceptance(refused: readonly string[], notes: readonly string[]): RouteCondition {
  if (refused.length > 0) {
    const message = short(`${[...refused, ...notes].join('; ')}: requests of the rule are answered 500`)
    return { type: 'Accepted', status: 'False', reason: 'UnsupportedValue', message }
  }
  return notes.length === 0
    ? { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'Resource accepted' }
    : { type: 'Accepted', status: 'True', reason: 'PartiallyInvalid', message: short(notes.join('; ')) }
}

function waypointCondition(problem: Pick<RouteCondition, 'reason' | 'message'> | undefined): RouteCondition {
  return problem === undefined
    ? {
        type: 'ResolvedWaypoints',
        status: 'True',
        reason: 'ResolvedWaypoints',
        message: 'All waypoints resolved',
      }
    : { type: 'ResolvedWaypoints', status: 'False', reason: problem.reason, message: problem.message }
}

function short(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE - 1)}…`
}
