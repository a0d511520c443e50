import type { ConfigDump, DumpedCertificate, DumpedConnection, DumpedIdentity, DumpedPod } from './config-dump.types.ts'

type Rows = readonly (readonly string[])[]

export interface WorkloadFilter {
  readonly namespace?: string | undefined
  readonly node?: string | undefined
  readonly address?: string | undefined
  /** `name` or `name.namespace`. */
  readonly name?: string | undefined
}

/** `ztunnel-config workload`. */
export function workloadTable(dump: ConfigDump, filter: WorkloadFilter): Rows {
  const waypoints = waypointNames(dump)
  const rows = dump.workloads
    .filter((item) => filter.namespace === undefined || item.namespace === filter.namespace)
    .filter((item) => filter.node === undefined || item.node === filter.node)
    .filter((item) => filter.address === undefined || item.addresses.includes(filter.address))
    .filter((item) => matchesName(filter.name, item.name, item.namespace))
    .map((item) => [
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
export function serviceTable(dump: ConfigDump, filter: { readonly namespace?: string | undefined }): Rows {
  const waypoints = waypointNames(dump)
  const healthy = new Set(dump.workloads.filter((item) => item.status !== 'Unhealthy').map((item) => item.uid))
  const rows = dump.services
    .filter((item) => filter.namespace === undefined || item.namespace === filter.namespace)
    .map((item) => [
      item.namespace,
      item.name,
      withoutNetwork(item.vips[0] ?? ''),
      waypoints(item.waypoint),
      `${item.endpointUids.filter((uid) => healthy.has(uid)).length}/${item.endpointUids.length}`,
    ])
  return [['NAMESPACE', 'SERVICE NAME', 'SERVICE VIP', 'WAYPOINT', 'ENDPOINTS'], ...sorted(rows)]
}

/** `ztunnel-config policy`. */
export function policyTable(dump: ConfigDump, filter: { readonly namespace?: string | undefined }): Rows {
  const rows = dump.policies
    .filter((item) => filter.namespace === undefined || item.namespace === filter.namespace)
    .map((item) => [item.namespace, item.name, item.action, item.scope])
  return [['NAMESPACE', 'POLICY NAME', 'ACTION', 'SCOPE'], ...sorted(rows)]
}

/** `ztunnel-config certificate`, valid or not at `nowMs`. */
export function certificateTable(dump: ConfigDump, nowMs: number): Rows {
  const header = ['CERTIFICATE NAME', 'TYPE', 'STATUS', 'VALID CERT', 'SERIAL NUMBER', 'NOT AFTER', 'NOT BEFORE']
  const items = dump.certificates.toSorted((a, b) => compare(a.identity, b.identity))
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
  readonly direction?: string | undefined
  /** Addresses instead of names. */
  readonly raw: boolean
  readonly namespace?: string | undefined
  readonly name?: string | undefined
  /** Both identities, TLS version and key exchange as well. */
  readonly tls: boolean
}

/** `ztunnel-config connections`. */
export function connectionTable(dump: ConfigDump, options: ConnectionOptions): Rows {
  const header = ['WORKLOAD', 'DIRECTION', 'LOCAL', 'REMOTE', 'REMOTE TARGET', 'PROTOCOL']
  const wide = options.tls ? ['LOCAL IDENTITY', 'REMOTE IDENTITY', 'TLS', 'KEY EXCHANGE'] : []
  const names = options.raw ? (address: string): string => address : endpointNames(dump)
  const rows = dump.pods
    .filter((pod) => options.namespace === undefined || pod.namespace === options.namespace)
    .filter((pod) => matchesName(options.name, pod.name, pod.namespace))
    .flatMap((pod) => [
      ...(options.direction === 'outbound'
        ? []
        : pod.inbound.map((item) => connectionRow(pod, item, 'Inbound', names, options.tls))),
      ...(options.direction === 'inbound'
        ? []
        : pod.outbound.map((item) => connectionRow(pod, item, 'Outbound', names, options.tls))),
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

function matchesName(wanted: string | undefined, name: string, namespace: string): boolean {
  return wanted === undefined || wanted === name || wanted === `${name}.${namespace}`
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

/** By code unit, so that the order does not depend on the machine's locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
