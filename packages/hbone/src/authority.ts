import { type Ip, parsePort, parseSocketAddress } from '@ambit/core'
import { MAX_AUTHORITY_LENGTH } from './limits.ts'

/** Where a CONNECT wants to go: an address, or the name of a service. */
export type Authority =
  | { readonly kind: 'address'; readonly ip: Ip; readonly port: number }
  | { readonly kind: 'hostname'; readonly hostname: string; readonly port: number }

const HOSTNAME = /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/

/** Reads `1.2.3.4:80`, `[::1]:80` or `host:80`. Undefined, to be answered 400, without a host or a port above zero. */
export function parseAuthority(text: string): Authority | undefined {
  if (text.length > MAX_AUTHORITY_LENGTH) return undefined
  const address = parseSocketAddress(text)
  if (address !== undefined) return address.port === 0 ? undefined : { kind: 'address', ...address }
  const colon = text.lastIndexOf(':')
  const hostname = text.slice(0, Math.max(0, colon)).toLowerCase()
  const port = parsePort(text.slice(colon + 1))
  if (port === undefined || port === 0 || !HOSTNAME.test(hostname)) return undefined
  // All digits and dots is a misspelt address, not a name.
  return /^[0-9.]+$/.test(hostname) ? undefined : { kind: 'hostname', hostname, port }
}
