import type { Labels } from '@ambit/core'

/** Equal for equal values of a family's labels. */
export function labelsKey(names: readonly string[], labels: Labels): string {
  let key = ''
  for (const name of names) key += `${labels[name] ?? ''}\u0000`
  return key
}
