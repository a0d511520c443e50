import type { Cors } from '@ambit/state'
import { fitsText } from './fits-text.ts'

/** Whether a browser asks with it if it may ask (Fetch standard). */
export function isPreflight(method: string, requestedMethod: string | undefined): boolean {
  return method === 'OPTIONS' && requestedMethod !== undefined && requestedMethod !== ''
}

/** Any of the policy's matches; a lone `*` is every origin. */
export function allowsOrigin({ allowOrigins }: Cors, origin: string): boolean {
  return allowOrigins.some((match) => (match.kind === 'exact' && match.value === '*') || fitsText(match, origin))
}
