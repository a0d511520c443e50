import type { Ip } from '@ambit/core'
import { type Condition, conditionToWrite } from '../status/condition.ts'
import { isRecord, type Json, list, record } from '../watch/json.ts'
import type { GatewayAddress, GatewayRequest, RequestedListener } from './gateway.types.ts'
import type { BuiltinClass } from './gateway-classes.ts'
import { hasDeployableAddress } from './management.ts'
import { gatewayNames, nameProblem } from './names.ts'

const ADDRESS_TYPE_ANNOTATION = 'networking.istio.io/address-type'
const LISTENER_RULE = 'Expected a single listener on port 15008 with protocol "HBONE"'
const HBONE_PORT = 15008

/** A Service a Gateway is served by, as the cluster has it. */
export interface ServingService {
  readonly host: string
  /** Undefined: there is no such Service. */
  readonly clusterIps: readonly Ip[] | undefined
  /** Whether some endpoint of it is ready. */
  readonly ready: boolean
}

export type RequestedService = { readonly namespace: string; readonly name: string; readonly host: string }

export type ServicesVerdict =
  | { readonly ok: true; readonly services: readonly RequestedService[] }
  | { readonly ok: false; readonly message: string }

/** The Services that serve a Gateway: the one deployed for it, or those its addresses name. */
export function servicesOf(gateway: GatewayRequest, domain: string): ServicesVerdict {
  const hostOf = (namespace: string, name: string): string => `${name}.${namespace}.svc.${domain}`
  if (hasDeployableAddress(gateway)) {
    const { name } = gatewayNames(gateway)
    const { namespace } = gateway
    return { ok: true, services: [{ namespace, name, host: hostOf(namespace, name) }] }
  }
  const services: RequestedService[] = []
  for (const { type, value } of gateway.addresses) {
    if (type !== 'Hostname')
      return { ok: false, message: `Only Hostname is supported, not address ${value} of type ${type ?? 'IPAddress'}` }
    const [name = '', namespace = gateway.namespace, ...rest] = value.split('.')
    if (name === '' || (rest.length > 0 && rest.join('.') !== 'svc' && rest.join('.') !== `svc.${domain}`))
      return { ok: false, message: `${JSON.stringify(value)} is no hostname of a Service of this cluster` }
    services.push({ namespace, name, host: hostOf(namespace, name) })
  }
  return { ok: true, services }
}

export interface StatusFacts {
  readonly cls: BuiltinClass
  /** Why what the Gateway refers to for its customization can not be used. */
  readonly invalidParameters: string | undefined
  readonly services:
    | { readonly ok: true; readonly services: readonly ServingService[] }
    | { readonly ok: false; readonly message: string }
  readonly nowMs: number
}

/** What the status of a Gateway of one of our classes says. `present` is its status as it is. */
export function gatewayStatus(gateway: GatewayRequest, present: Json, facts: StatusFacts): Json {
  const context = { nowMs: facts.nowMs, generation: gateway.generation }
  const write = (conditions: readonly Condition[], there: unknown): readonly Json[] =>
    conditions.map((condition) => conditionToWrite(condition, { status: there }, context))
  const { refusal } = facts.cls
  if (refusal !== undefined)
    return {
      conditions: write([no('Accepted', 'Invalid', refusal), no('Programmed', 'Invalid', refusal)], present),
      listeners: gateway.listeners.map((listener) =>
        listenerStatus(
          listener,
          write(
            [no('Accepted', 'Invalid', refusal), no('Programmed', 'Invalid', refusal)],
            listenerNow(present, listener),
          ),
        ),
      ),
    }
  const programmed = programmedOf(gateway, facts.services)
  const usable = facts.services.ok ? facts.services.services.filter(isServing) : []
  // Once written, addresses stay though all pods go: without them, bound services would be reached around their policies.
  const addresses = programmed.status === 'True' ? addressesOf(gateway, usable) : list(present['addresses'])
  return {
    ...(addresses.length === 0 ? {} : { addresses }),
    conditions: write(
      [
        acceptedOf(gateway, facts.invalidParameters),
        programmed,
        yes('ResolvedRefs', 'ResolvedRefs', 'All references resolved'),
      ],
      present,
    ),
    listeners: gateway.listeners.map((listener) =>
      listenerStatus(listener, write(listenerConditions(gateway, listener), listenerNow(present, listener))),
    ),
  }
}

function acceptedOf(gateway: GatewayRequest, invalidParameters: string | undefined): Condition {
  if (invalidParameters !== undefined) return no('Accepted', 'InvalidParameters', invalidParameters)
  const problem = hasDeployableAddress(gateway) ? nameProblem(gateway) : undefined
  if (problem !== undefined) return no('Accepted', 'Invalid', problem)
  if (gateway.listeners.some((listener) => !isWaypointListener(gateway, listener)))
    return no('Accepted', 'ListenersNotValid', LISTENER_RULE)
  return yes('Accepted', 'Accepted', 'Resource accepted')
}

function programmedOf(gateway: GatewayRequest, verdict: StatusFacts['services']): Condition {
  if (!verdict.ok) return no('Programmed', 'AddressNotUsable', verdict.message)
  const lacking = verdict.services.filter((service) => !isServing(service))
  if (lacking.length > 0)
    return no(
      'Programmed',
      'AddressNotAssigned',
      `Failed to assign to any requested addresses: ${lacking.map(({ host }) => `no instances found for hostname ${JSON.stringify(host)}`).join('; ')}`,
    )
  const ports = [...new Set(gateway.listeners.map(({ port }) => port))]
  const assigned = verdict.services.flatMap(({ host }) => ports.map((port) => `${host}:${port}`))
  return yes('Programmed', 'Programmed', `Resource programmed, assigned to service(s) ${enumerated(assigned)}`)
}

function isServing(service: ServingService): service is ServingService & { readonly clusterIps: readonly Ip[] } {
  return service.clusterIps !== undefined && service.ready
}

function addressesOf(
  gateway: GatewayRequest,
  services: readonly { readonly host: string; readonly clusterIps: readonly Ip[] }[],
): readonly GatewayAddress[] {
  const ips = services.flatMap(({ clusterIps }) => clusterIps.map((value) => ({ type: 'IPAddress', value })))
  const hosts = services.map(({ host }) => ({ type: 'Hostname', value: host }))
  const only = gateway.annotations[ADDRESS_TYPE_ANNOTATION]
  return [...ips, ...hosts].filter(({ type }) => (only === 'IPAddress' || only === 'Hostname' ? type === only : true))
}

function listenerConditions(gateway: GatewayRequest, listener: RequestedListener): readonly Condition[] {
  const accepted = isWaypointListener(gateway, listener)
    ? yes('Accepted', 'Accepted', 'No errors found')
    : no('Accepted', 'UnsupportedProtocol', LISTENER_RULE)
  return [
    accepted,
    no('Conflicted', 'NoConflicts', 'No errors found'),
    accepted.status === 'True'
      ? yes('Programmed', 'Programmed', 'No errors found')
      : no('Programmed', 'Invalid', LISTENER_RULE),
    yes('ResolvedRefs', 'ResolvedRefs', 'No errors found'),
  ]
}

function isWaypointListener(gateway: GatewayRequest, { port, protocol }: RequestedListener): boolean {
  return gateway.listeners.length === 1 && port === HBONE_PORT && protocol === 'HBONE'
}

function listenerStatus({ name }: RequestedListener, conditions: readonly Json[]): Json {
  // Routes bind to the Services behind a waypoint, not to its listener.
  return { name, attachedRoutes: 0, supportedKinds: [], conditions }
}

function listenerNow(status: Json, { name }: RequestedListener): Json {
  return record(list(status['listeners']).find((entry) => isRecord(entry) && entry['name'] === name))
}

function yes(type: string, reason: string, message: string): Condition {
  return { type, status: 'True', reason, message }
}

function no(type: string, reason: string, message: string): Condition {
  return { type, status: 'False', reason, message }
}

/** `a`, `a and b`, `a, b, and c`. */
function enumerated(items: readonly string[]): string {
  if (items.length < 3) return items.join(' and ')
  return `${items.slice(0, -1).join(', ')}, and ${items.at(-1)}`
}
