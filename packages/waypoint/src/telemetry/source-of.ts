import type { Workload } from '@ambit/state'
import type { Downstream, TunnelFacts } from '../request.types.ts'
import type { Ends } from './request-labels.ts'
import type { RequestRecord } from './request-record.ts'

export interface SourceComponents {
  /** Of a tunnel. */
  readonly client: (tunnel: TunnelFacts) => Workload | undefined
  /** The proxy's own. */
  readonly own: () => Workload
}

export type SourceOf = (
  downstream: Downstream,
  record: Pick<RequestRecord, 'endpoint'>,
) => Pick<Ends, 'reporter' | 'peer' | 'source'>

/** Where metrics say a request comes from: the client of a tunnel, but a gateway itself, behind which no workload is. */
export function sourceOf({ client, own }: SourceComponents): SourceOf {
  return (downstream, { endpoint }) => {
    if (downstream.kind === 'tunnel') {
      return { reporter: 'waypoint', peer: downstream.peer, source: client(downstream) }
    }
    const source = own()
    return { reporter: 'source', peer: endpoint?.protocol === 'HBONE' ? source.identity : undefined, source }
  }
}
