import type { HeaderList } from '@ambit/route'
import { withoutHeaders } from './headers.ts'

/** What HTTP/2 forbids on top of hop-by-hop headers: the authority has its own place (RFC 9113 §8.2.2). */
export function http2Lines(headers: HeaderList): string[] {
  return withoutHeaders(
    headers,
    (name) => name === 'host' || name === 'connection' || name === 'upgrade' || name === 'transfer-encoding',
  )
}

/**
 * As the object Node wants for trailers and interim answers. Lines of one name become one: Node throws where a name it knows to have one
 * value has several, and in the events these are sent from that would end the process.
 */
export function headerObject(headers: HeaderList): Record<string, string> {
  const found: Record<string, string> = Object.create(null)
  for (let index = 0; index < headers.length; index += 2) {
    const [name = '', value = ''] = [headers[index], headers[index + 1]]
    // Here it means nothing, and may only have one value.
    if (name === 'te') continue
    const earlier = found[name]
    found[name] = earlier === undefined ? value : `${earlier}, ${value}`
  }
  return found
}
