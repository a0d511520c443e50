import { portsOfService, portsOfServiceEntry } from '../compile/destination.ts'
import type { MeshState } from '../index/mesh-state.ts'
import { partsOf } from '../index/units.ts'
import { resolveDestination } from '../index/virtual-services.ts'
import type { BackendRef } from '../route.types.ts'

export interface AskedDestination {
  /** Complete: short names are those of a namespace. */
  readonly host: string
  readonly port: number | undefined
  /** Empty: all endpoints. */
  readonly subset: string
}

export type DestinationVerdict =
  | { readonly problem: undefined | 'no-host' | 'no-subset' }
  /** Ports the service has; none was named, or another. */
  | { readonly problem: 'no-port' | 'port-needed'; readonly ports: readonly number[] }

const UNUSED = (): void => undefined

/** What proxies in the namespace would make of a destination of a VirtualService. */
export function judgeDestination(state: MeshState, asked: AskedDestination, client: string): DestinationVerdict {
  const ports = portsOfHost(state, asked.host)
  if (ports === undefined) return { problem: 'no-host' }
  if (asked.port !== undefined && !ports.includes(asked.port)) return { problem: 'no-port', ports }
  if (asked.port === undefined && ports.length > 1) return { problem: 'port-needed', ports }
  const ref: BackendRef = {
    group: 'networking.istio.io',
    kind: 'Hostname',
    namespace: client,
    name: asked.host,
    port: asked.port,
    subset: asked.subset,
    weight: 1,
    requestHeaders: undefined,
    responseHeaders: undefined,
    problems: [],
  }
  const [first = 0] = ports
  if (asked.subset === '' || resolveDestination(state, ref, { client, port: first }, UNUSED).found)
    return { problem: undefined }
  return { problem: 'no-subset' }
}

/** Undefined: nobody has the hostname. */
export function portsOfHost(state: MeshState, host: string): readonly number[] | undefined {
  const ports = new Set<number>()
  let known = false
  for (const key of state.links.hosts.get(host)) {
    const { kind, namespace, name } = partsOf(key)
    const service = kind === 'service' ? state.services.get(namespace, name) : undefined
    const entry = kind === 'serviceEntry' ? state.serviceEntries.get(namespace, name) : undefined
    if (service === undefined && entry === undefined) continue
    known = true
    const found =
      service === undefined ? (entry === undefined ? [] : portsOfServiceEntry(entry)) : portsOfService(service)
    for (const { number } of found) ports.add(number)
  }
  return known ? [...ports].sort((a, b) => a - b) : undefined
}
