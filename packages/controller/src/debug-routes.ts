import { authorizationpb, TYPE_URLS, workloadpb } from '@ambit/api'
import type { AdminRoute } from '@ambit/telemetry'
import type { ConnectionStatus, ResourceSource } from '@ambit/xds'
import { fromBinary, toJson } from '@bufbuild/protobuf'

/** What istioctl and Kiali ask a control plane's monitoring port. */
export function debugRoutes(parts: {
  readonly source: ResourceSource
  readonly connections: () => readonly ConnectionStatus[]
  readonly version: string
  readonly isReady: () => boolean
}): readonly AdminRoute[] {
  const json = (value: unknown): { contentType: string; body: string } => ({
    contentType: 'application/json',
    body: JSON.stringify(value, undefined, 2),
  })
  return [
    {
      method: 'GET',
      path: '/ready',
      handle: () =>
        parts.isReady() ? { body: 'ready\n' } : { status: 503, body: 'not ready: first sync is not done\n' },
    },
    { method: 'GET', path: '/version', handle: () => ({ body: `${parts.version}-ambit-Clean` }) },
    { method: 'GET', path: '/debug/syncz', handle: () => json(parts.connections().map(syncStatus)) },
    { method: 'GET', path: '/debug/connections', handle: () => json(parts.connections().map(connectionSummary)) },
    { method: 'GET', path: '/debug/ambientz', handle: () => json(ambientState(parts.source)) },
  ]
}

function syncStatus({ node, types }: ConnectionStatus): Record<string, unknown> {
  const metadata = node.metadata ?? {}
  const [type = '', , name = ''] = node.id.split('~')
  return {
    cluster_id: metadata['CLUSTER_ID'] ?? '',
    proxy: name,
    proxy_type: type,
    proxy_version: metadata['ISTIO_VERSION'] ?? '',
    istio_version: metadata['ISTIO_VERSION'] ?? '',
    resources: Object.fromEntries(
      types.map((state) => [
        state.typeUrl,
        {
          sent: state.sentNonce,
          acked: state.ackedNonce,
          sentTime: new Date(state.lastSentMs).toISOString(),
          ...(state.lastError === '' ? {} : { lastError: state.lastError }),
        },
      ]),
    ),
  }
}

function connectionSummary({ id, node, peer, connectedAtMs }: ConnectionStatus): Record<string, unknown> {
  return { connectionId: id, node: node.id, address: peer, connectedAt: new Date(connectedAtMs).toISOString() }
}

function ambientState(source: ResourceSource): Record<string, unknown> {
  const workloads: unknown[] = []
  const services: unknown[] = []
  for (const { bytes } of source.snapshot(TYPE_URLS.address).values()) {
    const { type } = fromBinary(workloadpb.AddressSchema, bytes)
    if (type.case === 'workload') workloads.push(toJson(workloadpb.WorkloadSchema, type.value))
    else if (type.case === 'service') services.push(toJson(workloadpb.ServiceSchema, type.value))
  }
  const policies = [...source.snapshot(TYPE_URLS.authorization).values()].map(({ bytes }) =>
    toJson(authorizationpb.AuthorizationSchema, fromBinary(authorizationpb.AuthorizationSchema, bytes)),
  )
  return { workloads, services, policies }
}
