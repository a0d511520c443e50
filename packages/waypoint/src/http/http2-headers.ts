import type { HeaderList } from '@ambit/route'
import { withoutHeaders } from './headers.ts'

/** What HTTP/2 forbids on top of hop-by-hop headers: the authority has its own place (RFC 9113 §8.2.2). */
export function http2Lines(headers: HeaderList): string[] {
  return withoutHeaders(
    headers,
    (name) => name === 'host' || name === 'connection' || name === 'upgrade' || name === 'transfer-encoding',
  )
}

/** As the object Node wants for trailers. */
export function headerObject(headers: HeaderList): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = Object.create(null)
  for (let index = 0; index < headers.length; index += 2) {
    const [name = '', value = ''] = [headers[index], headers[index + 1]]
    const earlier = found[name]
    found[name] = earlier === undefined ? value : [...(Array.isArray(earlier) ? earlier : [earlier]), value]
  }
  return found
}
