import { chooseBackend } from '@ambit/route'
import type { Service } from '@ambit/state'
import type { Downstream, Treated, TunnelTarget, Upstream } from './request.types.ts'
import type { ResponseFlag } from './telemetry/response-flags.ts'
import type { Clusters } from './upstream/clusters.ts'

export type TcpUpstream =
  | { readonly kind: 'found'; readonly upstream: Upstream; readonly treated: Treated | undefined }
  | { readonly kind: 'refused'; readonly flag: ResponseFlag; readonly message: string }

export interface TcpUpstreamComponents {
  readonly service: (key: string) => Service | undefined
  readonly clusters: Clusters
  readonly random: () => number
}

/** Where a connection that is no HTTP goes: as a VirtualService says of its port, else to what was addressed. */
export function tcpUpstream(
  target: TunnelTarget,
  downstream: Downstream,
  { service, clusters, random }: TcpUpstreamComponents,
): TcpUpstream {
  if (target.kind === 'workload') {
    const to = { kind: 'workload', workload: target.workload, port: target.port } as const
    return { kind: 'found', upstream: { to, protocol: 'tcp', backend: undefined }, treated: undefined }
  }
  const addressed = {
    to: { kind: 'service', service: target.service, port: target.port.number, isAddressed: true },
    protocol: 'tcp',
    backend: undefined,
    rules: { trafficPolicy: target.destination.trafficPolicy, subset: '' },
  } as const
  const { tcpBackends } = target.port
  if (tcpBackends === undefined) return treated(addressed, downstream, clusters)
  const choice = chooseBackend(tcpBackends, random)
  if (choice.kind === 'failed') return { kind: 'refused', flag: 'NC', message: choice.reason }
  const { backend } = choice
  const found = service(backend.service)
  if (found === undefined) return { kind: 'refused', flag: 'NC', message: `no service ${backend.service}` }
  const isAddressed = found === target.service
  const to = { kind: 'service', service: found, port: backend.port, isAddressed } as const
  return treated({ to, protocol: 'tcp', backend, rules: backend }, downstream, clusters)
}

/** Of what a request is hashed by only the address is known. */
function treated(
  upstream: Upstream & { readonly to: { readonly kind: 'service' } },
  { remote }: Downstream,
  clusters: Clusters,
): TcpUpstream {
  const verdict = clusters.find(upstream.to, upstream.rules)
  switch (verdict.kind) {
    case 'none':
      return { kind: 'found', upstream, treated: undefined }
    case 'missing':
      return { kind: 'refused', flag: 'NC', message: verdict.message }
    case 'refused':
      return { kind: 'refused', flag: 'UF', message: verdict.message }
    case 'found': {
      const { cluster } = verdict
      const hashKey = cluster.treatment.hashOf?.kind === 'source-ip' ? remote.ip : undefined
      return { kind: 'found', upstream, treated: { cluster, hashKey } }
    }
  }
}
