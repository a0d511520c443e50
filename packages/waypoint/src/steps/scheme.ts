import type { RequestState } from '../request.types.ts'

export const WELL_KNOWN: { readonly http: 80; readonly https: 443 } = { http: 80, https: 443 }

export function schemeOf({ header }: RequestState): 'http' | 'https' {
  return header?.('x-forwarded-proto') === 'https' ? 'https' : 'http'
}
