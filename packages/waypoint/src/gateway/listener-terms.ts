import type { ListenerTable } from '@ambit/route'
import type { Listener } from '@ambit/state'
import type { GatewayConnectionFacts } from '../request.types.ts'

/** What a client was let in by. A connection that was let in by other terms than its listener's of now is not served on. */
export function termsOf({ name, tls }: Listener): string {
  if (tls === undefined) return name
  const { clientCertificates, clientAuthorities, clientSubjectAltNames, minVersion, maxVersion } = tls
  return JSON.stringify([name, clientCertificates, clientAuthorities, clientSubjectAltNames, minVersion, maxVersion])
}

/** Whether the listener that takes the connection now has the terms it was let in by. Plain ones are looked at request by request. */
export function isServedStill(table: ListenerTable, { port, tls }: GatewayConnectionFacts): boolean {
  if (table.isSecured(port) !== (tls !== undefined)) return false
  if (tls === undefined) return true
  const listener = table.find(port, tls.serverName ?? '')
  return listener !== undefined && termsOf(listener) === tls.terms
}
