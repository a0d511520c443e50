import { reject } from '../rejection.ts'
import type { HostPattern } from './listener.types.ts'

const LABELS = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/
/** Only of an exact host: an address, as clients without a name ask for. */
const ADDRESS = /^\[[0-9a-f:.]+\]$/

/** `shop.example.com`, `*.example.com`, `*` or nothing. */
export function decodeHostPattern(text: string, path: string): HostPattern {
  const host = text.toLowerCase()
  if (host === '' || host === '*') return { kind: 'any' }
  if (host.startsWith('*.') && LABELS.test(host.slice(2))) return { kind: 'suffix', suffix: host.slice(1) }
  if (LABELS.test(host) || ADDRESS.test(host)) return { kind: 'exact', hostname: host }
  return reject('bad-match', `${path}: ${JSON.stringify(text)} is no host`)
}
