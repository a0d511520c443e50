/** Ports every peer of an ambient mesh expects (Istio). */
export const PORTS = {
  /** Outbound capture, REDIRECT target, pod network namespace. */
  outbound: 15001,
  /** Inbound plaintext capture, REDIRECT target, pod network namespace. */
  inboundPlaintext: 15006,
  /** Inbound HBONE; peers dial podIP:15008. */
  hbone: 15008,
  /** DNS proxy, UDP and TCP, loopback of the pod. */
  dns: 15053,
  /** Admin HTTP, loopback only. */
  admin: 15000,
  /** Prometheus. */
  stats: 15020,
  readiness: 15021,
  /** Control plane: TLS gRPC for xDS and CA. */
  controlPlane: 15012,
  controlPlaneMonitoring: 15014,
} as const

/** Packet mark on every socket of ztunnel in a pod, so that capture rules leave it alone (0x539). */
export const PACKET_MARK = 1337

/** Destinations a proxy must never be asked to dial: its own capture ports. */
export function isProxyPort(port: number): boolean {
  return port === PORTS.outbound || port === PORTS.inboundPlaintext || port === PORTS.hbone
}
