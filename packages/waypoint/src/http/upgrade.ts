import type { RequestHead } from '@ambit/http1'
import { headerOf } from './headers.ts'

/**
 * The protocol asked for, when it is one that is passed on: WebSocket alone (Istio), and not with a body, which would be read as bytes of the
 * new protocol. Any other could carry requests that nobody judges, as HTTP/2 does.
 */
export function upgradeOf({ method, headers, version, connection, isBodiless }: RequestHead): string | undefined {
  if (method === 'CONNECT') return 'CONNECT'
  if (connection === undefined || version !== '1.1' || !isBodiless) return undefined
  const wanted = headerOf(headers, 'upgrade')
  if (wanted?.toLowerCase() !== 'websocket') return undefined
  return connection
    .toLowerCase()
    .split(',')
    .some((option) => option.trim() === 'upgrade')
    ? 'websocket'
    : undefined
}
