import type { Changes } from '../changes.ts'
import { printable } from './printable.ts'
import { counted } from './text.ts'

const MAX_NAMED = 20

/** What a rerun brought. */
export function changesText(changes: Changes): readonly string[] {
  const { newlyFailed, newlyPassed, failedOtherwise, added, removed } = changes
  const lines = [
    ...named('fails now', newlyFailed),
    ...named('as expected now', newlyPassed),
    ...named('fails otherwise', failedOtherwise),
    ...(added.length === 0 ? [] : [`${counted(added.length, 'case', 'cases')} more`]),
    ...(removed.length === 0 ? [] : [`${counted(removed.length, 'case', 'cases')} gone`]),
  ]
  return lines.length === 0 ? ['no case came out otherwise than before'] : lines
}

function named(what: string, names: readonly string[]): readonly string[] {
  const shown = names.slice(0, MAX_NAMED).map((name) => `${what}: ${printable(name)}`)
  return names.length > MAX_NAMED ? [...shown, `${what}: ${names.length - MAX_NAMED} more`] : shown
}
