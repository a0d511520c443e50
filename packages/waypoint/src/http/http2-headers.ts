import type { HeaderList } from '@ambit/route'

/** What no value has, or can not be sent as one byte each (RFC 9110 §5.5). */
const NOT_OF_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/

/**
 * Without what HTTP/2 forbids on top of hop-by-hop headers: the authority has its own place (RFC 9113 §8.2.2). Throws for a value that is
 * none.
 */
export function http2Lines(headers: HeaderList): string[] {
  const lines: string[] = []
  for (let index = 0; index < headers.length; index += 2) {
    const [name = '', value = ''] = [headers[index], headers[index + 1]]
    if (name === 'host' || name === 'connection' || name === 'upgrade' || name === 'transfer-encoding') continue
    if (NOT_OF_A_VALUE.test(value)) throw new TypeError(`the value of ${name} can not be sent`)
    lines.push(name, value)
  }
  return lines
}
