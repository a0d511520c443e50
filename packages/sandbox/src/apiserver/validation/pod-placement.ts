import { arrayOf, at, type JsonObject, objectOf, textOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { invalidValue, requiredValue, unsupportedValue } from './causes.ts'
import { selectorCauses } from './label-selectors.ts'
import { isLabelValue, isQualifiedName, LABEL_VALUE_RULE, QUALIFIED_RULE } from './names.ts'

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']
const NODE_OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt']
const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution'
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution'

/** What a pod asks of its node; a word nobody knows would leave it pending, or put it where it must not be. */
export function placementCauses(spec: JsonObject, path: string): readonly StatusCause[] {
  return [
    ...Object.entries(objectOf(spec['nodeSelector'])).flatMap(([key, value]) => {
      const field = `${path}.nodeSelector`
      if (!isQualifiedName(key)) return [invalidValue(field, key, QUALIFIED_RULE)]
      return isLabelValue(value) ? [] : [invalidValue(field, value, LABEL_VALUE_RULE)]
    }),
    ...arrayOf(spec['tolerations']).flatMap((each, index) =>
      tolerationCauses(objectOf(each), `${path}.tolerations[${index}]`),
    ),
    ...nodeAffinityCauses(objectOf(at(spec, 'affinity', 'nodeAffinity')), `${path}.affinity.nodeAffinity`),
    ...['podAffinity', 'podAntiAffinity'].flatMap((kind) =>
      podAffinityCauses(objectOf(at(spec, 'affinity', kind)), `${path}.affinity.${kind}`),
    ),
    ...arrayOf(spec['topologySpreadConstraints']).flatMap((each, index) =>
      spreadCauses(objectOf(each), `${path}.topologySpreadConstraints[${index}]`),
    ),
  ]
}

function tolerationCauses(toleration: JsonObject, field: string): readonly StatusCause[] {
  const { key, operator, value, effect, tolerationSeconds } = toleration
  const causes: StatusCause[] = []
  if (key && !isQualifiedName(textOf(key))) causes.push(invalidValue(`${field}.key`, key, QUALIFIED_RULE))
  if (!key && operator !== 'Exists')
    causes.push(
      invalidValue(
        `${field}.operator`,
        operator ?? '',
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    )
  if (tolerationSeconds !== undefined && effect !== 'NoExecute')
    causes.push(
      invalidValue(`${field}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"),
    )
  if (operator === 'Exists' && value)
    causes.push(invalidValue(`${field}.operator`, value, "value must be empty when `operator` is 'Exists'"))
  else if (operator && operator !== 'Exists' && operator !== 'Equal')
    causes.push(unsupportedValue(`${field}.operator`, operator, ['Equal', 'Exists']))
  if (effect && !EFFECTS.includes(textOf(effect))) causes.push(unsupportedValue(`${field}.effect`, effect, EFFECTS))
  return causes
}

function nodeAffinityCauses(affinity: JsonObject, field: string): readonly StatusCause[] {
  const causes: StatusCause[] = []
  if (affinity[REQUIRED] !== undefined) {
    const terms = arrayOf(at(affinity, REQUIRED, 'nodeSelectorTerms'))
    const where = `${field}.${REQUIRED}.nodeSelectorTerms`
    if (terms.length === 0) causes.push(requiredValue(where, 'must have at least one node selector term'))
    for (const [index, term] of terms.entries()) causes.push(...nodeTermCauses(term, `${where}[${index}]`))
  }
  for (const [index, preferred] of arrayOf(affinity[PREFERRED]).entries()) {
    const where = `${field}.${PREFERRED}[${index}]`
    causes.push(
      ...weightCauses(preferred, where),
      ...nodeTermCauses(at(preferred, 'preference'), `${where}.preference`),
    )
  }
  return causes
}

function nodeTermCauses(term: unknown, field: string): readonly StatusCause[] {
  return ['matchExpressions', 'matchFields'].flatMap((kind) =>
    arrayOf(at(term, kind)).flatMap((requirement, index) => {
      const { key, operator, values } = objectOf(requirement)
      const where = `${field}.${kind}[${index}]`
      const count = arrayOf(values).length
      if (!key) return [requiredValue(`${where}.key`)]
      if (!NODE_OPERATORS.includes(textOf(operator)))
        return [invalidValue(`${where}.operator`, operator ?? '', 'not a valid selector operator')]
      if ((operator === 'In' || operator === 'NotIn') && count === 0)
        return [requiredValue(`${where}.values`, "must be specified when `operator` is 'In' or 'NotIn'")]
      if ((operator === 'Gt' || operator === 'Lt') && count !== 1)
        return [requiredValue(`${where}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'")]
      return []
    }),
  )
}

function podAffinityCauses(affinity: JsonObject, field: string): readonly StatusCause[] {
  const causes: StatusCause[] = []
  for (const [index, term] of arrayOf(affinity[REQUIRED]).entries())
    causes.push(...podTermCauses(term, `${field}.${REQUIRED}[${index}]`))
  for (const [index, preferred] of arrayOf(affinity[PREFERRED]).entries()) {
    const where = `${field}.${PREFERRED}[${index}]`
    causes.push(
      ...weightCauses(preferred, where),
      ...podTermCauses(at(preferred, 'podAffinityTerm'), `${where}.podAffinityTerm`),
    )
  }
  return causes
}

function podTermCauses(term: unknown, field: string): readonly StatusCause[] {
  const causes = ['labelSelector', 'namespaceSelector'].flatMap((key) =>
    selectorCauses(`${field}.${key}`, at(term, key)),
  )
  if (!at(term, 'topologyKey')) causes.push(requiredValue(`${field}.topologyKey`, 'can not be empty'))
  return causes
}

function weightCauses(preferred: unknown, field: string): readonly StatusCause[] {
  const weight = at(preferred, 'weight')
  const fits = typeof weight === 'number' && weight >= 1 && weight <= 100
  return fits ? [] : [invalidValue(`${field}.weight`, weight ?? 0, 'must be in the range 1-100')]
}

function spreadCauses(constraint: JsonObject, field: string): readonly StatusCause[] {
  const { maxSkew, topologyKey, whenUnsatisfiable } = constraint
  const causes = [...selectorCauses(`${field}.labelSelector`, constraint['labelSelector'])]
  if (!(typeof maxSkew === 'number' && maxSkew > 0))
    causes.push(invalidValue(`${field}.maxSkew`, maxSkew ?? 0, 'must be greater than zero'))
  if (!topologyKey) causes.push(requiredValue(`${field}.topologyKey`, 'can not be empty'))
  const known = ['DoNotSchedule', 'ScheduleAnyway']
  if (!known.includes(textOf(whenUnsatisfiable)))
    causes.push(unsupportedValue(`${field}.whenUnsatisfiable`, whenUnsatisfiable, known))
  return causes
}
