import type { KubeObject } from '../contract.types.ts'
import { at, type JsonObject, objectOf, textOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { forbiddenValue, invalidValue, unsupportedValue } from './causes.ts'

const COUNTS = ['revisionHistoryLimit', 'minReadySeconds', 'progressDeadlineSeconds']
const STRATEGIES: Readonly<Record<string, { readonly field: string; readonly types: readonly string[] }>> = {
  Deployment: { field: 'strategy', types: ['Recreate', 'RollingUpdate'] },
  DaemonSet: { field: 'updateStrategy', types: ['RollingUpdate', 'OnDelete'] },
}

/** How a workload's pods are replaced; a pair that could never replace one is refused. */
export function rolloutCauses(object: KubeObject): readonly StatusCause[] {
  const spec = objectOf(object['spec'])
  const causes: StatusCause[] = COUNTS.flatMap((key) => {
    const value = spec[key]
    const negative = typeof value === 'number' && value < 0
    return negative ? [invalidValue(`spec.${key}`, value, 'must be greater than or equal to 0')] : []
  })
  const strategy = STRATEGIES[object.kind]
  if (strategy === undefined) return causes
  const given = objectOf(spec[strategy.field])
  const field = `spec.${strategy.field}`
  if (!strategy.types.includes(textOf(given['type'])))
    causes.push(unsupportedValue(`${field}.type`, given['type'], strategy.types))
  else if (given['type'] === 'RollingUpdate') causes.push(...rollingCauses(given, `${field}.rollingUpdate`))
  else if (given['rollingUpdate'] !== undefined)
    causes.push(
      forbiddenValue(
        `${field}.rollingUpdate`,
        `may not be specified when strategy \`type\` is '${textOf(given['type'])}'`,
      ),
    )
  return causes
}

function rollingCauses(strategy: JsonObject, field: string): readonly StatusCause[] {
  const amounts = {
    maxUnavailable: at(strategy, 'rollingUpdate', 'maxUnavailable'),
    maxSurge: at(strategy, 'rollingUpdate', 'maxSurge'),
  }
  const causes = Object.entries(amounts).flatMap(([key, amount]) => {
    const rule = "must be an integer of at least 0 or a percentage (e.g '5%')"
    if (!/^\d+%?$/.test(textOf(amount)) || (typeof amount === 'string' && !amount.endsWith('%')))
      return [invalidValue(`${field}.${key}`, amount, rule)]
    const tooMany = key === 'maxUnavailable' && typeof amount === 'string' && Number.parseInt(amount, 10) > 100
    return tooMany ? [invalidValue(`${field}.${key}`, amount, 'must not be greater than 100%')] : []
  })
  const isNone = (amount: unknown): boolean => Number.parseInt(textOf(amount), 10) === 0
  if (causes.length === 0 && isNone(amounts.maxUnavailable) && isNone(amounts.maxSurge))
    causes.push(invalidValue(`${field}.maxUnavailable`, amounts.maxUnavailable, 'may not be 0 when `maxSurge` is 0'))
  return causes
}
