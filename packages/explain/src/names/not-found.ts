import { nearestWord } from '@ambit/core'
import { UnknownNameError } from '../errors.ts'

/** Names listed when none is near. */
const MAX_LISTED = 8

export function notFound(what: string, wrong: string, known: Iterable<string>): UnknownNameError {
  const names = [...new Set(known)].sort()
  const near = nearestWord(names, wrong)
  if (near !== undefined) return new UnknownNameError(`there is no ${what} ${wrong}; is ${near} meant?`)
  const listed = names.slice(0, MAX_LISTED).join(', ')
  const more = names.length > MAX_LISTED ? `, and ${names.length - MAX_LISTED} more` : ''
  return new UnknownNameError(
    names.length === 0 ? `there is no ${what} ${wrong}` : `there is no ${what} ${wrong}; there are: ${listed}${more}`,
  )
}
