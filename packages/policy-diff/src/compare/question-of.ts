import type { Question } from '@ambit/explain'
import type { Point } from '../semantic/point.ts'
import type { Destination } from './destinations.ts'

/** Identities are asked about as such, whatever runs as them today. */
export function questionOf(
  point: Point,
  { to, host, asBytes }: Pick<Destination, 'to' | 'host' | 'asBytes'>,
): Question {
  const { client, sourceIp, sni, method, path, headers, claims } = point
  return {
    from:
      client === undefined ? { kind: 'outside' } : { kind: 'identity', identity: `spiffe://${client}`, isProven: true },
    to,
    ...(asBytes
      ? {}
      : {
          request: {
            method,
            path,
            host: point.host ?? host,
            ...(headers.length === 0 ? {} : { headers }),
            ...(claims === undefined ? {} : { claims }),
          },
        }),
    ...(sni === undefined ? {} : { sni }),
    ...(sourceIp === undefined ? {} : { sourceIp }),
  }
}
