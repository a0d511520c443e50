import type { HeaderList } from './hpack/decoder.ts'

/** What a header block is: a request, an answer (interim ones too), or what follows a body. */
export type HeaderKind = 'request' | 'response' | 'trailers'

/** RFC 9110 §5.6.2 without capitals (RFC 9113 §8.2.1). */
const NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/
/** RFC 9113 §8.2.1, and the other control characters: HTTP/1.1 has them in no value either (RFC 9110 §5.5). */
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]|^[ \t]|[ \t]$/

const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'],
])
const REQUEST_PSEUDO: ReadonlySet<string> = new Set([':method', ':scheme', ':path', ':authority', ':protocol'])

/**
 * Why a header list is malformed (RFC 9113 §8.2, §8.3), or undefined. A CONNECT with `:scheme` and `:path` but no `:protocol` is let
 * through: who serves tunnels answers it, which a reset could not.
 */
export function headerProblem(headers: HeaderList, kind: HeaderKind): string | undefined {
  const pseudo = new Map<string, string>()
  let isRegular = false
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name = '', value = ''] = [headers[i], headers[i + 1]]
    if (BAD_VALUE.test(value)) return `the value of ${printable(name)} has characters that no value has`
    if (name.startsWith(':')) {
      if (isRegular) return `${printable(name)} comes after a regular header`
      if (pseudo.has(name)) return `${printable(name)} comes twice`
      if (kind === 'trailers') return `trailers have ${printable(name)}`
      if (kind === 'request' ? !REQUEST_PSEUDO.has(name) : name !== ':status')
        return `${printable(name)} is no pseudo-header here`
      pseudo.set(name, value)
      continue
    }
    isRegular = true
    if (!NAME.test(name)) return `${printable(name)} is no name of a header`
    if (CONNECTION_HEADERS.has(name)) return `${name} belongs to a connection of HTTP/1`
    if (name === 'te' && value !== 'trailers') return 'te says something other than "trailers"'
  }
  if (kind === 'request') return requestProblem(pseudo)
  if (kind === 'response' && !/^[1-5]\d\d$/.test(pseudo.get(':status') ?? '')) return 'the answer has no status'
  return undefined
}

function requestProblem(pseudo: ReadonlyMap<string, string>): string | undefined {
  const method = pseudo.get(':method')
  if (!method) return ':method is missing'
  if (method === 'CONNECT' && !pseudo.has(':protocol'))
    return pseudo.has(':authority') ? undefined : 'CONNECT names no :authority'
  if (!pseudo.get(':scheme')) return ':scheme is missing'
  if (!pseudo.get(':path')) return ':path is missing'
  if (pseudo.has(':protocol') && method !== 'CONNECT') return ':protocol is for CONNECT'
  return undefined
}

function printable(name: string): string {
  return JSON.stringify(name.slice(0, 64))
}
