import type { HeaderList } from '@ambit/route'
import { sentValues } from './headers.ts'

/**
 * What Node's strict parser lets pass and a next hop could read otherwise. The rest (both lengths, folded lines, bare line feeds,
 * spaces before colons, chunk sizes) it refuses itself. Undefined when there is nothing to object to.
 */
export function framingObjection(version: string, raw: HeaderList): string | undefined {
  if (version !== '1.1' && version !== '1.0') return 'unknown HTTP version'
  const codings = sentValues(raw, 'transfer-encoding')
  if (codings.some((coding) => coding.trim().toLowerCase() !== 'chunked')) return 'Transfer-Encoding is not chunked'
  if (codings.length > 1) return 'several Transfer-Encoding headers'
  return codings.length === 1 && version === '1.0' ? 'Transfer-Encoding in HTTP/1.0' : undefined
}
