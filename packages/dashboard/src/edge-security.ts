import type { GraphEdge } from '@ambit/graph'
import type { EdgeSecurity, SecurityLevel } from './topology.types.ts'

/** Groups in which ML-KEM takes part: who records today can't read it with tomorrow's quantum computer. */
const POST_QUANTUM = /ML-?KEM|KYBER/i

type Seen = Pick<GraphEdge, 'transports' | 'tlsVersions' | 'keyExchanges' | 'plainText'>

/** How well an edge is protected: as well as the weakest of what was seen on it. */
export function judgeSecurity(edge: Seen): EdgeSecurity {
  const words = edge.transports.map((kind) =>
    kind === 'plain'
      ? 'plain text'
      : [kind === 'hbone' ? 'mTLS' : 'TLS', ...edge.tlsVersions, ...edge.keyExchanges].join(' '),
  )
  return { level: levelOf(edge), seen: [...new Set(words)] }
}

function levelOf({ transports, keyExchanges, plainText }: Seen): SecurityLevel {
  const isEncrypted = transports.includes('hbone') || transports.includes('tls')
  if (plainText || transports.includes('plain')) return isEncrypted ? 'mixed' : 'plain'
  if (transports.includes('tls')) return 'tls'
  if (!transports.includes('hbone')) return 'unknown'
  return keyExchanges.length > 0 && keyExchanges.every((group) => POST_QUANTUM.test(group))
    ? 'mtls-post-quantum'
    : 'mtls'
}
