import { workloadpb } from '@ambit/api'

const { AppProtocol } = workloadpb

const PROTOCOLS: Readonly<Record<string, workloadpb.AppProtocol>> = {
  http: AppProtocol.HTTP11,
  'kubernetes.io/ws': AppProtocol.HTTP11,
  'kubernetes.io/h2c': AppProtocol.HTTP2,
  http2: AppProtocol.HTTP2,
  grpc: AppProtocol.GRPC,
  'grpc-web': AppProtocol.HTTP11,
  https: AppProtocol.TLS,
  'kubernetes.io/wss': AppProtocol.TLS,
  tls: AppProtocol.TLS,
  tcp: AppProtocol.TCP,
  mongo: AppProtocol.TCP,
  mysql: AppProtocol.TCP,
  redis: AppProtocol.TCP,
}

/** What a port speaks: its `appProtocol`, else the convention `protocol` or `protocol-anything` of its name. */
export function appProtocolOf(appProtocol: string | undefined, portName: string): workloadpb.AppProtocol {
  if (appProtocol) return PROTOCOLS[appProtocol.toLowerCase()] ?? AppProtocol.UNKNOWN
  const name = portName.toLowerCase()
  if (name === 'grpc-web' || name.startsWith('grpc-web-')) return AppProtocol.HTTP11
  return PROTOCOLS[name.split('-', 1)[0] ?? ''] ?? AppProtocol.UNKNOWN
}
