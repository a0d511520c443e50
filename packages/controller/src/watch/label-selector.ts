import type { StringMap } from './json.ts'
import { isRecord, text } from './json.ts'

export type LabelRequirement =
  | { readonly key: string; readonly operator: 'In' | 'NotIn'; readonly values: readonly string[] }
  | { readonly key: string; readonly operator: 'Exists' | 'DoesNotExist' }

/** All of it must hold; nothing written holds always. */
export type LabelSelector = readonly LabelRequirement[]

/** Reads a Kubernetes label selector; undefined when it is none or asks for something unknown. */
export function decodeLabelSelector(value: unknown): LabelSelector | undefined {
  if (!isRecord(value)) return undefined
  const { matchLabels = {}, matchExpressions = [], ...unknown } = value
  if (!isRecord(matchLabels) || !Array.isArray(matchExpressions) || Object.keys(unknown).length > 0) return undefined
  const requirements: LabelRequirement[] = []
  for (const [key, wanted] of Object.entries(matchLabels)) {
    if (typeof wanted !== 'string') return undefined
    requirements.push({ key, operator: 'In', values: [wanted] })
  }
  for (const expression of matchExpressions as readonly unknown[]) {
    const requirement = decodeExpression(expression)
    if (requirement === undefined) return undefined
    requirements.push(requirement)
  }
  return requirements
}

function decodeExpression(value: unknown): LabelRequirement | undefined {
  if (!isRecord(value)) return undefined
  const key = text(value['key'])
  const operator = value['operator']
  if (!key) return undefined
  if (operator === 'Exists' || operator === 'DoesNotExist') return { key, operator }
  if (operator !== 'In' && operator !== 'NotIn') return undefined
  const values = value['values']
  if (!Array.isArray(values) || !values.every((each) => typeof each === 'string')) return undefined
  return { key, operator, values }
}

export function selectorMatches(selector: LabelSelector, labels: StringMap): boolean {
  return selector.every((requirement) => {
    const value = labels[requirement.key]
    switch (requirement.operator) {
      case 'Exists':
        return value !== undefined
      case 'DoesNotExist':
        return value === undefined
      case 'In':
        return value !== undefined && requirement.values.includes(value)
      case 'NotIn':
        return value === undefined || !requirement.values.includes(value)
    }
  })
}
