import type { GraphEdge } from './graph.types.ts'

/** What stands beside an edge: `12 req, 3 denied, 1.2 MiB, plain text`. */
export function edgeLabel(edge: GraphEdge): string {
  const { requests, connections, denied, failed, bytesFromClient, bytesToClient, plainText, waypoints } = edge
  const parts = [
    requests > 0 ? `${requests} req` : `${connections} conn`,
    denied > 0 ? `${denied} denied` : '',
    failed > 0 ? `${failed} failed` : '',
    bytesText(bytesFromClient + bytesToClient),
    waypoints.length > 0 ? `via ${waypoints.join(' ')}` : '',
    plainText ? 'plain text' : '',
  ]
  return parts.filter((part) => part !== '').join(', ')
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
const FACTOR = 1024

/** `1.5 KiB`. */
export function bytesText(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= FACTOR && unit < UNITS.length - 1) {
    value /= FACTOR
    unit++
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)} ${UNITS[unit]}`
}
