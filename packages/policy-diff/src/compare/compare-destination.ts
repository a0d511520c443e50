import type { MeshModel, Question } from '@ambit/explain'
import type { AccessChange, Decision } from '../diff.types.ts'
import { MAX_QUESTIONS_PER_DESTINATION } from '../limits.ts'
import type { ReadPolicy } from '../policies/read-policy.ts'
import type { Diagram } from '../semantic/diagram.ts'
import { type Dimension, isOfConnection, isOfToken } from '../semantic/dimension.ts'
import { explore } from '../semantic/explore.ts'
import { pointOf } from '../semantic/point.ts'
import { type Forms, policyForms } from '../semantic/policy-forms.ts'
import { accessChange, deciderOf, decisionFor } from './access-change.ts'
import type { Destination } from './destinations.ts'
import { questionOf } from './question-of.ts'

export type Asked = Pick<MeshModel, 'ask' | 'mesh'>

/** What changes somewhere in the values of a destination. */
export interface Leaf {
  readonly change: AccessChange
  readonly endpoints: readonly string[] | undefined
  readonly before: Decision
  readonly after: Decision
  readonly question: Question
}

export interface ComparedDestination {
  readonly forms: Forms
  readonly diagram: Diagram<Leaf>
  readonly asked: number
  readonly isPartial: boolean
}

export interface Sides<T> {
  readonly before: T
  readonly after: T
}

/** A client that no policy names, as long as none does. */
const ANYBODY = { namespace: 'other', account: 'other' } as const

/** What the proxies of this version look at: they check no tokens, and a waypoint does not see a TLS that passes through. */
function isSeen(dimension: Dimension, { isGateway, asBytes }: Destination): boolean {
  if (asBytes) return isOfConnection(dimension)
  if (isOfToken(dimension)) return false
  return dimension !== 'sni' || isGateway
}

export function compareDestination(
  models: Sides<Asked>,
  policies: Sides<readonly ReadPolicy[]>,
  destination: Destination,
  options: { readonly onlyPolicies: boolean; readonly budget: number },
): ComparedDestination {
  const { mesh } = models.after
  const { isGateway } = destination
  const forms = policyForms(policies.before, policies.after, {
    trustDomain: mesh.trustDomain,
    normalization: NORMALIZATIONS[mesh.waypoints?.pathNormalization ?? 'BASE'],
    host: destination.host,
    isSeen: (dimension) => isSeen(dimension, destination),
    asBytes: destination.asBytes,
  })
  const anybody = `${mesh.trustDomain}/ns/${ANYBODY.namespace}/sa/${ANYBODY.account}`
  const { diagram, asked, partial } = explore<Leaf>(forms, {
    onlyPolicies: options.onlyPolicies,
    atGateway: isGateway,
    budget: Math.min(options.budget, MAX_QUESTIONS_PER_DESTINATION),
    ask: (values) => {
      const question = questionOf(pointOf(values, anybody), destination)
      const before = models.before.ask(question)
      const after = models.after.ask(question)
      const changed = accessChange(before, after, isGateway)
      if (changed === undefined) return undefined
      const decisions = { before: decisionFor(before, changed), after: decisionFor(after, changed) }
      return { ...changed, ...decisions, question }
    },
    keyOf: ({ change, endpoints, before, after }) =>
      JSON.stringify([change, endpoints, deciderOf(after), change === 'allowed' && deciderOf(before)]),
  })
  return { forms, diagram, asked, isPartial: partial || forms.partial.length > 0 }
}

const NORMALIZATIONS = {
  NONE: 'none',
  BASE: 'base',
  MERGE_SLASHES: 'merge-slashes',
  DECODE_AND_MERGE_SLASHES: 'decode-and-merge-slashes',
} as const
