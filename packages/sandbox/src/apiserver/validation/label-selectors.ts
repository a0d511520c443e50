import { arrayOf, objectOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { forbiddenValue, requiredValue, unsupportedValue } from './causes.ts'

const OPERATORS = ['DoesNotExist', 'Exists', 'In', 'NotIn']

/** What is wrong with a label selector of meta/v1. */
export function selectorCauses(field: string, selector: unknown): readonly StatusCause[] {
  return arrayOf(objectOf(selector)['matchExpressions']).flatMap((requirement, index) => {
    const { key, operator, values } = objectOf(requirement)
    const at = `${field}.matchExpressions[${index}]`
    if (typeof key !== 'string' || key === '') return [requiredValue(`${at}.key`)]
    if (!OPERATORS.includes(String(operator))) return [unsupportedValue(`${at}.operator`, operator, OPERATORS)]
    const needsValues = operator === 'In' || operator === 'NotIn'
    if (needsValues && arrayOf(values).length === 0)
      return [requiredValue(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'")]
    if (!needsValues && arrayOf(values).length > 0)
      return [forbiddenValue(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")]
    return []
  })
}
