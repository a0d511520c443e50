import type { PortProtocol } from './destination.types.ts'

/** The enum `ambit.waypoint.Protocol`. */
export const PROTOCOLS: Readonly<Record<number, PortProtocol>> = {
  0: 'unknown',
  1: 'tcp',
  2: 'http',
  3: 'http2',
  4: 'grpc',
  5: 'tls',
}
