import type { AdmissionExpressions } from '../admission/admission-expressions.ts'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, objectOf, textOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { invalidValue, requiredValue, unsupportedValue } from './causes.ts'
import { conditionCauses, expressionCauses, ruleCauses } from './webhooks.ts'

const ACTIONS = ['Audit', 'Deny', 'Warn']
const FAILURE = ['Fail', 'Ignore']
const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized']

export function validatePolicy(policy: KubeObject, expressions: AdmissionExpressions): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const spec = objectOf(policy['spec'])
  const validations = arrayOf(spec['validations'])
  if (validations.length === 0 && arrayOf(spec['auditAnnotations']).length === 0)
    causes.push(requiredValue('spec.validations', 'validations or auditAnnotations must be present'))
  for (const [index, validation] of validations.entries()) {
    const field = `spec.validations[${index}]`
    causes.push(...expressionCauses(validation, 'expression', field, expressions))
    if (at(validation, 'messageExpression') !== undefined)
      causes.push(...expressionCauses(validation, 'messageExpression', field, expressions))
    const reason = at(validation, 'reason')
    if (reason !== undefined && !REASONS.includes(textOf(reason)))
      causes.push(unsupportedValue(`${field}.reason`, reason, REASONS))
  }
  const constraints = spec['matchConstraints']
  if (!isObject(constraints)) causes.push(requiredValue('spec.matchConstraints'))
  else if (arrayOf(constraints['resourceRules']).length === 0)
    causes.push(requiredValue('spec.matchConstraints.resourceRules'))
  else causes.push(...ruleCauses(constraints['resourceRules'], 'spec.matchConstraints.resourceRules'))
  causes.push(...conditionCauses(spec['matchConditions'], 'spec.matchConditions', expressions))
  causes.push(...conditionCauses(spec['variables'], 'spec.variables', expressions))
  if (!FAILURE.includes(textOf(spec['failurePolicy'])))
    causes.push(unsupportedValue('spec.failurePolicy', spec['failurePolicy'], FAILURE))
  const kind = spec['paramKind']
  if (isObject(kind))
    for (const key of ['apiVersion', 'kind']) if (!kind[key]) causes.push(requiredValue(`spec.paramKind.${key}`))
  return causes
}

export function validatePolicyBinding(binding: KubeObject): readonly StatusCause[] {
  const causes: StatusCause[] = []
  const spec = objectOf(binding['spec'])
  if (!spec['policyName']) causes.push(requiredValue('spec.policyName'))
  const actions = arrayOf(spec['validationActions'])
  if (actions.length === 0)
    causes.push(requiredValue('spec.validationActions', 'at least one validation action is required'))
  for (const action of actions)
    if (!ACTIONS.includes(textOf(action))) causes.push(unsupportedValue('spec.validationActions', action, ACTIONS))
  if (actions.includes('Deny') && actions.includes('Warn'))
    causes.push(invalidValue('spec.validationActions', actions, 'must not contain both Deny and Warn'))
  const reference = spec['paramRef']
  if (isObject(reference)) {
    if ((reference['name'] === undefined) === (reference['selector'] === undefined))
      causes.push(requiredValue('spec.paramRef', 'one of name or selector must be specified'))
    if (reference['parameterNotFoundAction'] !== 'Allow' && reference['parameterNotFoundAction'] !== 'Deny')
      causes.push(
        unsupportedValue('spec.paramRef.parameterNotFoundAction', reference['parameterNotFoundAction'], [
          'Allow',
          'Deny',
        ]),
      )
  }
  causes.push(...ruleCauses(at(spec, 'matchResources', 'resourceRules'), 'spec.matchResources.resourceRules'))
  return causes
}
