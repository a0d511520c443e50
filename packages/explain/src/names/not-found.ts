import { nearestWord } from '@ambit/core'
import { UnknownNameError } from '../errors.ts'
import { MAX_LISTED_NAMES } from '../limits.ts'

export function notFound(what: string, wrong: string, known: Iterable<string>): UnknownNameError {
  const names = [...new Set(known)].sort()
  const near = nearestWord(names, wrong)
  if (near !== undefined) return new UnknownNameError(`there is no ${what} ${wrong}; is ${near} meant?`)
  const listed = names.slice(0, MAX_LISTED_NAMES).join(', ')
  const more = names.length > MAX_LISTED_NAMES ? `, and ${names.length - MAX_LISTED_NAMES} more` : ''
  return new UnknownNameError(
    names.length === 0 ? `there is no ${what} ${wrong}` : `there is no ${what} ${wrong}; there are: ${listed}${more}`,
  )
}
