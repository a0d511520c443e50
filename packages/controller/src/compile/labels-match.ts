import type { StringMap } from '../watch/json.ts'

/** Every pair of the selector is among the labels. An empty selector matches everything; callers decide if that is meant. */
export function labelsMatch(selector: StringMap, labels: StringMap): boolean {
  for (const key in selector) if (labels[key] !== selector[key]) return false
  return true
}
