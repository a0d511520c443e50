import type { HeaderList } from '@ambit/http2'
import type { HeaderMap } from './engine.types.ts'

/** Headers of a list without the pseudo-headers. Several of one name are joined, as Node does; no prototype: the peer picks the names. */
export function regularHeaders(headers: HeaderList): HeaderMap {
  const regular: Record<string, string | string[] | undefined> = Object.create(null)
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name = '', value = ''] = [headers[i], headers[i + 1]]
    if (name.startsWith(':')) continue
    const before = regular[name]
    regular[name] = typeof before === 'string' ? `${before}, ${value}` : value
  }
  return regular
}
