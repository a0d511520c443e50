import { Http1Error } from './errors.ts'
import type { HeaderList } from './head.types.ts'

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** What would end a line, or is no byte. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: what no value has (RFC 9110 §5.5)
const NOT_OF_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/

/**
 * Start line and field lines with the empty one; `more` are lines of the caller's own, with their CRLFs. Throws for what would be read as
 * something else than it says.
 */
export function headText(startLine: string, headers: HeaderList, more = ''): string {
  if (NOT_OF_A_VALUE.test(startLine)) throw new Http1Error('invalid-start-line', 'a start line that is not one line')
  let text = `${startLine}\r\n`
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? ''
    const value = headers[index + 1] ?? ''
    if (!NAME.test(name))
      throw new Http1Error('invalid-header', `${JSON.stringify(name.slice(0, 64))} is no name of a header`)
    if (NOT_OF_A_VALUE.test(value))
      throw new Http1Error('invalid-header', `the value of ${name} has characters that no value has`)
    text += `${name}: ${value}\r\n`
  }
  return `${text}${more}\r\n`
}

/** A head with what of its body is there already, as one piece: one write, one record. */
export function writeHead(text: string, body: Uint8Array | undefined, before = '', after = ''): Buffer {
  const headLength = text.length + before.length
  const bodyLength = body?.length ?? 0
  const bytes = Buffer.allocUnsafe(headLength + bodyLength + after.length)
  bytes.write(before === '' ? text : text + before, 0, 'latin1')
  if (body !== undefined) bytes.set(body, headLength)
  if (after !== '') bytes.write(after, headLength + bodyLength, 'latin1')
  return bytes
}
