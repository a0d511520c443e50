import { parseQuantity } from '../../objects/quantity.ts'
import { type JsonObject, objectOf } from '../json.ts'
import type { StatusCause } from '../status-error.ts'
import { invalidValue } from './causes.ts'
import { isQualifiedName, QUALIFIED_RULE } from './names.ts'

const STANDARD = /^(cpu|memory|ephemeral-storage|hugepages-.+)$/

/** Requests and limits of a container: known names, no negative amounts, no request beyond its limit. */
export function resourceCauses(resources: JsonObject, path: string): readonly StatusCause[] {
  const limits = objectOf(resources['limits'])
  const requests = objectOf(resources['requests'])
  const causes = [...amountCauses(limits, `${path}.limits`), ...amountCauses(requests, `${path}.requests`)]
  for (const [name, request] of Object.entries(requests)) {
    const asked = parseQuantity(request)
    const most = parseQuantity(limits[name])
    if (asked !== undefined && most !== undefined && asked > most)
      causes.push(
        invalidValue(
          `${path}.requests`,
          request,
          `must be less than or equal to ${name} limit of ${String(limits[name])}`,
        ),
      )
  }
  return causes
}

function amountCauses(amounts: JsonObject, path: string): readonly StatusCause[] {
  return Object.entries(amounts).flatMap(([name, amount]) => {
    const field = `${path}[${name}]`
    if (!isQualifiedName(name)) return [invalidValue(field, name, QUALIFIED_RULE)]
    if (!name.includes('/') && !STANDARD.test(name))
      return [invalidValue(field, name, 'must be a standard resource type or fully qualified')]
    const negative = (parseQuantity(amount) ?? 0) < 0
    return negative ? [invalidValue(field, amount, 'must be greater than or equal to 0')] : []
  })
}
