import { AmbitError } from '@ambit/core'

/** One requirement of a Kubernetes label selector; all of a selector must hold. */
export interface Requirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values: readonly string[]
}

export type LabelSelector = readonly Requirement[]

/** A selector cannot be understood. The agent then refuses to start rather than enrol the wrong pods. */
export class SelectorError extends AmbitError {
  override readonly code = 'INVALID_SELECTOR'
}

type Operator = Requirement['operator']

/** As in Kubernetes an absent label satisfies NotIn. */
const HOLDS: Readonly<Record<Operator, (value: string | undefined, values: readonly string[]) => boolean>> = {
  In: (value, values) => value !== undefined && values.includes(value),
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: (value) => value !== undefined,
  DoesNotExist: (value) => value === undefined,
}

/** Reads a Kubernetes LabelSelector; the empty selector selects everything. */
export function parseLabelSelector(value: unknown): LabelSelector {
  if (value === undefined || value === null) return []
  if (typeof value !== 'object' || Array.isArray(value)) throw new SelectorError('a label selector must be an object')
  const { matchLabels, matchExpressions, ...unknown } = value as Record<string, unknown>
  const strange = Object.keys(unknown)
  if (strange.length > 0) throw new SelectorError(`a label selector has no field ${strange.join(', ')}`)
  return [...fromLabels(matchLabels), ...fromExpressions(matchExpressions)]
}

function fromLabels(value: unknown): Requirement[] {
  if (value === undefined || value === null) return []
  if (typeof value !== 'object' || Array.isArray(value)) throw new SelectorError('matchLabels must be an object')
  return Object.entries(value).map(([key, wanted]) => {
    if (typeof wanted !== 'string') throw new SelectorError(`matchLabels.${key} must be a string`)
    return { key, operator: 'In', values: [wanted] }
  })
}

function fromExpressions(value: unknown): Requirement[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new SelectorError('matchExpressions must be a list')
  return value.map((expression: unknown) => {
    const { key, operator, values = [] } = (expression ?? {}) as Record<string, unknown>
    const known = (Object.keys(HOLDS) as Operator[]).find((each) => each === operator)
    if (typeof key !== 'string' || key === '') throw new SelectorError('a match expression needs a key')
    if (known === undefined)
      throw new SelectorError(`match expression of ${key} has the unknown operator ${String(operator)}`)
    if (!Array.isArray(values) || !values.every((each) => typeof each === 'string')) {
      throw new SelectorError(`values of the match expression of ${key} must be a list of strings`)
    }
    const needsValues = known === 'In' || known === 'NotIn'
    if (needsValues !== values.length > 0) {
      throw new SelectorError(`match expression of ${key}: ${known} ${needsValues ? 'needs' : 'takes no'} values`)
    }
    return { key, operator: known, values }
  })
}

/** Whether labels satisfy every requirement. */
export function selects(selector: LabelSelector, labels: ReadonlyMap<string, string>): boolean {
  return selector.every(({ key, operator, values }) => HOLDS[operator](labels.get(key), values))
}
