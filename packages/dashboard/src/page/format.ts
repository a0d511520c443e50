import type { SecurityLevel, TopologyEdge } from '../topology.types.ts'

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** `0`, `0.4`, `3.2`, `48`, `12.5k`. */
export function formatNumber(value: number): string {
  if (value === 0) return '0'
  if (value < 0.1) return '<0.1'
  if (value < 9.95) return trim(value.toFixed(1))
  if (value < 999.5) return String(Math.round(value))
  if (value < 999_500) return `${trim((value / 1e3).toFixed(1))}k`
  return `${trim((value / 1e6).toFixed(1))}M`
}

/** Decimal units, as network people count. */
export function formatBytes(value: number): string {
  let rest = value
  let unit = 0
  while (rest >= 999.5 && unit < BYTE_UNITS.length - 1) {
    rest /= 1000
    unit++
  }
  const digits = rest < 9.95 && unit > 0 ? trim(rest.toFixed(1)) : String(Math.round(rest))
  return `${digits} ${BYTE_UNITS[unit]}`
}

function trim(digits: string): string {
  return digits.replace(/\.0$/, '')
}

/** How long ago, coarse enough not to change all the time. */
export function formatAgo(fromMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - fromMs) / 1000))
  if (seconds < 5) return 'now'
  if (seconds < 60) return `${Math.floor(seconds / 5) * 5} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  return `${Math.floor(seconds / 3600)} h ago`
}

/** The rate an edge is labelled with. */
export function formatRate(edge: TopologyEdge): string {
  if (edge.perSecond > 0) return `${formatNumber(edge.perSecond)}/s`
  if (edge.bytesPerSecond > 0) return `${formatBytes(edge.bytesPerSecond)}/s`
  return edge.open > 0 ? `${edge.open} open` : 'idle'
}

const LEVELS: Readonly<Record<SecurityLevel, { readonly short: string; readonly long: string }>> = {
  'mtls-post-quantum': { short: 'mTLS PQ', long: 'mutual TLS, post-quantum key exchange' },
  mtls: { short: 'mTLS', long: 'mutual TLS' },
  tls: { short: 'TLS', long: 'TLS without client identity' },
  mixed: { short: 'mixed', long: 'partly plain text' },
  plain: { short: 'plain', long: 'plain text, not encrypted' },
  unknown: { short: 'unknown', long: 'transport not known: nothing was connected' },
}

export function securityWord(level: SecurityLevel): string {
  return LEVELS[level].short
}

export function securitySentence(level: SecurityLevel): string {
  return LEVELS[level].long
}

/** Said of an edge where only words reach; its rate is said beside. */
export function describeEdge(edge: TopologyEdge, from: string, to: string, via: string | undefined): string {
  return [
    `${from} to ${to}`,
    via === undefined ? '' : `through waypoint ${via}`,
    securitySentence(edge.security.level),
    edge.deniedLately > 0 ? `${edge.deniedLately} denied` : '',
    edge.failedLately > 0 ? `${edge.failedLately} failed` : '',
  ]
    .filter((part) => part !== '')
    .join(', ')
}
