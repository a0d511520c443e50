import type { ConfigDump, DumpedCertificate, DumpedConnection, DumpedIdentity, DumpedPod } from './config-dump.types.ts'

import type { DumpFilter } from './select.ts'
import { compare, selectCertificates, selectPods, selectPolicies, selectServices, selectWorkloads } from './select.ts'

type Rows = readonly (readonly string[])[]

/** `ztunnel-config workload`. */
export function workloadTable(dump: ConfigDump, filter: DumpFilter): Rows {
  const waypoints = waypointNames(dump)
  const rows = selectWorkloads(dump, filter).map((item) => [
    item.namespace,
    item.name,
    item.addresses[0] ?? '',
    item.node,
    waypoints(item.waypoint),
    item.protocol,
  ])
  return [['NAMESPACE', 'POD NAME', 'ADDRESS', 'NODE', 'WAYPOINT', 'PROTOCOL'], ...sorted(rows)]
}

/** `ztunnel-config service`. */
export function serviceTable(dump: ConfigDump, filter: DumpFilter): Rows {
  const waypoints = waypointNames(dump)
  const healthy = new Set(dump.workloads.filter((item) => item.status !== 'Unhealthy').map((item) => item.uid))
  const rows = selectServices(dump, filter).map((item) => [
    item.namespace,
    item.name,
    withoutNetwork(item.vips[0] ?? item.cidrVips[0] ?? ''),
    waypoints(item.waypoint),
    `${item.endpointUids.filter((uid) => healthy.has(uid)).length}/${item.endpointUids.length}`,
  ])
  return [['NAMESPACE', 'SERVICE NAME', 'SERVICE VIP', 'WAYPOINT', 'ENDPOINTS'], ...sorted(rows)]
}

/** `ztunnel-config policy`. */
export function policyTable(dump: ConfigDump, filter: DumpFilter): Rows {
  const rows = selectPolicies(dump, filter).map((item) => [item.namespace, item.name, item.action, item.scope])
  return [['NAMESPACE', 'POLICY NAME', 'ACTION', 'SCOPE'], ...sorted(rows)]
}

/** `ztunnel-config certificate`, valid or not at `nowMs`. */
export function certificateTable(dump: ConfigDump, nowMs: number): Rows {
  const header = ['CERTIFICATE NAME', 'TYPE', 'STATUS', 'VALID CERT', 'SERIAL NUMBER', 'NOT AFTER', 'NOT BEFORE']
  const items = selectCertificates(dump)
  return [header, ...items.flatMap((item) => certificateRows(item, nowMs))]
}

function certificateRows(item: DumpedIdentity, nowMs: number): Rows {
  const row = (certificate: DumpedCertificate, type: string): readonly string[] => [
    item.identity,
    type,
    item.state,
    String(Date.parse(certificate.notBefore) <= nowMs && nowMs < Date.parse(certificate.notAfter)),
    serialInHex(certificate.serialNumber),
    certificate.notAfter,
    certificate.notBefore,
  ]
  const rows = [
    ...item.chain.map((certificate, index) => row(certificate, index === 0 ? 'Leaf' : 'Intermediate')),
    ...item.roots.map((certificate) => row(certificate, 'Root')),
  ]
  // No certificate yet: still worth a line, for its state.
  return rows.length > 0 ? rows : [[item.identity, '', item.state, '', '', '', '']]
}

export interface ConnectionOptions {
  /** Addresses instead of names. */
  readonly raw: boolean
  /** Both identities, TLS version and key exchange as well. */
  readonly tls: boolean
}

/** `ztunnel-config connections`. */
export function connectionTable(dump: ConfigDump, filter: DumpFilter, options: ConnectionOptions): Rows {
  const header = ['WORKLOAD', 'DIRECTION', 'LOCAL', 'REMOTE', 'REMOTE TARGET', 'PROTOCOL']
  const wide = options.tls ? ['LOCAL IDENTITY', 'REMOTE IDENTITY', 'TLS', 'KEY EXCHANGE'] : []
  const names = options.raw ? (address: string): string => address : endpointNames(dump)
  const rows = selectPods(dump, filter).flatMap((pod) => [
    ...pod.inbound.map((item) => connectionRow(pod, item, 'Inbound', names, options.tls)),
    ...pod.outbound.map((item) => connectionRow(pod, item, 'Outbound', names, options.tls)),
  ])
  return [[...header, ...wide], ...sorted(rows)]
}

function connectionRow(
  pod: DumpedPod,
  item: DumpedConnection,
  direction: 'Inbound' | 'Outbound',
  names: (address: string) => string,
  tls: boolean,
): readonly string[] {
  const inbound = direction === 'Inbound'
  const [local, remote] = inbound ? [item.actualDst, item.src] : [item.src, item.actualDst]
  const identities = inbound
    ? [item.destinationIdentity, item.sourceIdentity]
    : [item.sourceIdentity, item.destinationIdentity]
  const wide = tls ? [...identities, item.tlsVersion, item.keyExchange].map((text) => text || '-') : []
  return [
    `${pod.name}.${pod.namespace}`,
    direction,
    names(local),
    names(remote),
    item.originalDst,
    item.protocol,
    ...wide,
  ]
}

/** Shows a workload's address as `name.namespace:port`. */
function endpointNames(dump: ConfigDump): (address: string) => string {
  const byAddress = new Map(
    dump.workloads.flatMap((item) => item.addresses.map((ip) => [ip, `${item.name}.${item.namespace}`] as const)),
  )
  return (address) => {
    const colon = address.lastIndexOf(':')
    const ip = address.slice(0, colon).replace(/^\[|\]$/g, '')
    const name = colon < 0 ? undefined : byAddress.get(ip)
    return name === undefined ? address : `${name}${address.slice(colon)}`
  }
}

/** Name of the waypoint service behind `NS/hostname` or `network/ip`: None when absent, NA when it is not known. */
function waypointNames(dump: ConfigDump): (destination: string) => string {
  const names = new Map<string, string>()
  for (const item of dump.services) {
    names.set(`${item.namespace}/${item.hostname}`, item.name)
    for (const vip of item.vips) names.set(vip, item.name)
  }
  return (destination) => (destination === '' ? 'None' : (names.get(destination) ?? 'NA'))
}

function withoutNetwork(vip: string): string {
  return vip.slice(vip.indexOf('/') + 1)
}

/** ztunnel dumps serial numbers in decimal, tools show them in hexadecimal. */
function serialInHex(decimal: string): string {
  return /^\d{1,60}$/.test(decimal) ? BigInt(decimal).toString(16) : decimal
}

function sorted(rows: Rows): Rows {
  return rows.toSorted((a, b) => {
    for (const [index, cell] of a.entries()) {
      const order = compare(cell, b[index] ?? '')
      if (order !== 0) return order
    }
    return 0
  })
}
