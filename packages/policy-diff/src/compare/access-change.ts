import type { Answer } from '@ambit/explain'
import type { AccessChange, Decision } from '../diff.types.ts'

/** How many of those that might answer do. */
type Reach = 'all' | 'some' | 'none'

export interface ChangedAccess {
  readonly change: AccessChange
  /** Of endpoints that answer otherwise than the first; undefined: all are alike. */
  readonly endpoints: readonly string[] | undefined
}

/** Undefined: as before. At a gateway what it lets on is judged where it goes. */
export function accessChange(before: Answer, after: Answer, isGateway: boolean): ChangedAccess | undefined {
  const [was, is] = [reachOf(before, isGateway), reachOf(after, isGateway)]
  if (was === is) return undefined
  const change = ORDER.indexOf(is) < ORDER.indexOf(was) ? 'denied' : 'allowed'
  return {
    change,
    endpoints: is === 'some' || was === 'some' ? concerned(is === 'some' ? after : before, change) : undefined,
  }
}

const ORDER: readonly Reach[] = ['none', 'some', 'all']

function reachOf({ outcome, point, mixed }: Answer, isGateway: boolean): Reach {
  if (isGateway) return outcome === 'denied' && point === 'gateway' ? 'none' : 'all'
  const passes = outcome === 'allowed'
  if (mixed === undefined || mixed.length === 0) return passes ? 'all' : 'none'
  return 'some'
}

/** Of a mixed answer, the endpoints that are named are those unlike the first. */
function concerned({ outcome, mixed = [] }: Answer, change: AccessChange): readonly string[] | undefined {
  const named = outcome === 'allowed' ? 'denied' : 'allowed'
  return named === change ? mixed.map(({ endpoint }) => endpoint) : undefined
}

/** Who decides for those that are concerned. */
export function decisionFor(answer: Answer, changed: ChangedAccess): Decision {
  const other = answer.mixed?.find(({ endpoint }) => changed.endpoints?.includes(endpoint))
  if (other === undefined) return decisionOf(answer)
  const { outcome, reason, policy } = other
  return { outcome, point: 'destination-ztunnel', reason, ...(policy === undefined ? {} : { policy }) }
}

function decisionOf({ outcome, point, reason, policy, rule, unmatched }: Answer): Decision {
  return {
    outcome,
    reason,
    ...(point === undefined ? {} : { point }),
    ...(policy === undefined ? {} : { policy }),
    ...(rule === undefined ? {} : { rule }),
    ...(unmatched === undefined ? {} : { unmatched }),
  }
}

/** Who decides; the wording of a reason may hold addresses. */
export function deciderOf({ outcome, point, policy, rule, unmatched }: Decision): string {
  return JSON.stringify([outcome, point, policy, rule, unmatched])
}
