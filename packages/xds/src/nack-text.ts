import { MAX_NACK_TEXT } from './limits.ts'
import type { RejectedResource } from './resource.types.ts'

/** `name: reason; name: reason`, as control planes show it; cut at a limit with the number left out. */
export function nackText(rejected: readonly RejectedResource[]): string {
  let text = ''
  for (const [index, { name, reason }] of rejected.entries()) {
    const entry = `${index === 0 ? '' : '; '}${name}: ${reason}`
    if (index > 0 && text.length + entry.length > MAX_NACK_TEXT) return `${text}; and ${rejected.length - index} more`
    text += entry.slice(0, MAX_NACK_TEXT)
  }
  return text
}
