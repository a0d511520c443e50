import type { AdmissionExpressions } from '../admission/admission-expressions.ts'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, textOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { duplicateValue, invalidValue, requiredValue, unsupportedValue } from './causes.ts'
import { isDnsSubdomain } from './names.ts'

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']
const SIDE_EFFECTS = ['None', 'NoneOnDryRun']
const FAILURE = ['Fail', 'Ignore']

/** Rules of webhooks and policies: what they are asked about. */
export function ruleCauses(rules: unknown, field: string): readonly StatusCause[] {
  const causes: StatusCause[] = []
  for (const [index, rule] of arrayOf(rules).entries()) {
    for (const key of ['operations', 'apiGroups', 'apiVersions', 'resources'])
      if (arrayOf(at(rule, key)).length === 0) causes.push(requiredValue(`${field}[${index}].${key}`))
    for (const operation of arrayOf(at(rule, 'operations')))
      if (!OPERATIONS.includes(textOf(operation)))
        causes.push(unsupportedValue(`${field}[${index}].operations`, operation, OPERATIONS))
  }
  return causes
}

/** Conditions in CEL: named, and such that they can be compiled. */
export function conditionCauses(
  conditions: unknown,
  field: string,
  expressions: AdmissionExpressions,
): readonly StatusCause[] {
  return arrayOf(conditions).flatMap((condition, index) => {
    const own = `${field}[${index}]`
    const name = at(condition, 'name')
    return [
      ...(name ? [] : [requiredValue(`${own}.name`)]),
      ...expressionCauses(condition, 'expression', own, expressions),
    ]
  })
}

export function expressionCauses(
  owner: unknown,
  key: string,
  field: string,
  expressions: AdmissionExpressions,
): readonly StatusCause[] {
  const text = at(owner, key)
  if (typeof text !== 'string' || text.trim() === '') return [requiredValue(`${field}.${key}`)]
  const problem = expressions.problem(text)
  return problem === undefined ? [] : [invalidValue(`${field}.${key}`, text, `compilation failed: ${problem}`)]
}

export function validateWebhooks(configuration: KubeObject, expressions: AdmissionExpressions): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const names = new Set<unknown>()
  for (const [index, webhook] of arrayOf(configuration['webhooks']).entries()) {
    const field = `webhooks[${index}]`
    const value = (key: string): unknown => at(webhook, key)
    const name = textOf(value('name') ?? '')
    if (!isDnsSubdomain(name) || name.split('.').length < 3)
      causes.push(
        invalidValue(`${field}.name`, name, 'should be a domain with at least three segments separated by dots'),
      )
    if (names.has(name)) causes.push(duplicateValue(`${field}.name`, name))
    names.add(name)
    const versions = arrayOf(value('admissionReviewVersions'))
    if (versions.length === 0)
      causes.push(requiredValue(`${field}.admissionReviewVersions`, 'must specify one of v1, v1beta1'))
    else if (!versions.includes('v1'))
      causes.push(invalidValue(`${field}.admissionReviewVersions`, versions, 'must include at least one of v1'))
    if (!SIDE_EFFECTS.includes(textOf(value('sideEffects') ?? '')))
      causes.push(unsupportedValue(`${field}.sideEffects`, value('sideEffects'), SIDE_EFFECTS))
    if (!FAILURE.includes(textOf(value('failurePolicy'))))
      causes.push(unsupportedValue(`${field}.failurePolicy`, value('failurePolicy'), FAILURE))
    const seconds = Number(value('timeoutSeconds'))
    if (!(seconds >= 1 && seconds <= 30))
      causes.push(
        invalidValue(`${field}.timeoutSeconds`, seconds, 'the timeout value must be between 1 and 30 seconds'),
      )
    causes.push(...ruleCauses(value('rules'), `${field}.rules`))
    causes.push(...conditionCauses(value('matchConditions'), `${field}.matchConditions`, expressions))
    causes.push(...clientCauses(value('clientConfig'), `${field}.clientConfig`))
  }
  return causes
}

function clientCauses(client: unknown, field: string): readonly StatusCause[] {
  const url = at(client, 'url')
  const service = at(client, 'service')
  if ((url === undefined) === (service === undefined))
    return [requiredValue(field, 'exactly one of url or service is required')]
  if (isObject(service))
    return ['name', 'namespace'].filter((key) => !service[key]).map((key) => requiredValue(`${field}.service.${key}`))
  const parsed = URL.parse(textOf(url))
  if (parsed === null || parsed.protocol !== 'https:')
    return [invalidValue(`${field}.url`, url, "'https' is the only allowed URL scheme")]
  const extra = parsed.username !== '' || parsed.hash !== '' || parsed.search !== ''
  return extra ? [invalidValue(`${field}.url`, url, 'user information, fragments and queries are not permitted')] : []
}
