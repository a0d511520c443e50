import type { Logger } from '@ambit/core'
import type { UnitResult } from '../index/unit-result.types.ts'
import { partsOf, type Unit } from '../index/units.ts'

/** Says in the log what of a VirtualService or DestinationRule is not followed, once for each time that changes. */
export function logRuleProblems(logger: Logger): (unit: Unit, result: UnitResult | undefined) => void {
  const said = new Map<Unit, string>()
  return (unit, result) => {
    const problems = (result?.ruleConditions ?? []).filter(
      ({ status, reason }) => status === 'False' || reason === 'PartiallyInvalid',
    )
    const text = problems.map(({ type, reason, message }) => `${type} ${reason}: ${message}`).join('; ')
    if (text === (said.get(unit) ?? '')) return
    if (text === '') {
      said.delete(unit)
      return
    }
    said.set(unit, text)
    const { kind, namespace, name } = partsOf(unit)
    logger.warn(`${kind} ${namespace}/${name} is not followed as written`, { why: text })
  }
}
