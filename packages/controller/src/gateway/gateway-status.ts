import type { Ip } from '@ambit/core'
import { type Condition, conditionToWrite } from '../status/condition.ts'
import { isRecord, type Json, list, record } from '../watch/json.ts'
import type { GatewayAddress, GatewayRequest, RequestedListener } from './gateway.types.ts'
import type { BuiltinClass, DeployedKind } from './gateway-classes.ts'
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
  readonly ports: readonly number[]
  /** Whether it is to get an address from outside the cluster. */
  readonly loadBalancer: boolean
  /** What it is reached at from outside the cluster. */
  readonly external: readonly GatewayAddress[]
  /** Whether some endpoint of it is ready. */
  readonly ready: boolean
}

/** What became of one listener. */
export interface ListenerOutcome {
  readonly name: string
  readonly attachedRoutes: number
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[]
  readonly conditions: readonly Condition[]
}

export type RequestedService = { readonly namespace: string; readonly name: string; readonly host: string }

export type ServicesVerdict =
  | { readonly ok: true; readonly services: readonly RequestedService[] }
  | { readonly ok: false; readonly message: string }

/** The Services that serve a Gateway: the one deployed for it, or those its addresses name. */
export function servicesOf(gateway: GatewayRequest, cls: BuiltinClass, domain: string): ServicesVerdict {
  const hostOf = (namespace: string, name: string): string => `${name}.${namespace}.svc.${domain}`
  if (hasDeployableAddress(gateway)) {
    const name = cls.deploys === undefined ? gateway.name : gatewayNames(gateway, cls.deploys).name
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
  /** Of a class whose listeners take routes; undefined: every listener is a waypoint's. */
  readonly listeners: readonly ListenerOutcome[] | undefined
  readonly nowMs: number
}

/** What the status of a Gateway of one of our classes says. `present` is its status as it is. */
export function gatewayStatus(gateway: GatewayRequest, present: Json, facts: StatusFacts): Json {
  const context = { nowMs: facts.nowMs, generation: gateway.generation }
  const write = (conditions: readonly Condition[], there: unknown): readonly Json[] =>
    conditions.map((condition) => conditionToWrite(condition, { status: there }, context))
  const { refusal, deploys } = facts.cls
  if (refusal !== undefined || deploys === undefined) {
    const reason = refusal ?? 'nothing is deployed for the class'
    return {
      conditions: write([no('Accepted', 'Invalid', reason), no('Programmed', 'Invalid', reason)], present),
      listeners: gateway.listeners.map((listener) =>
        listenerStatus(
          outcomeOf(listener, [no('Accepted', 'Invalid', reason), no('Programmed', 'Invalid', reason)]),
          present,
          write,
        ),
      ),
    }
  }
  const assignment = assign(gateway, deploys, facts.services)
  // Once written, addresses stay though all pods go: without them, bound services would be reached around their policies.
  const known =
    assignment.programmed.status === 'True' || (deploys.role === 'router' && assignment.addresses.length > 0)
  const addresses = known ? assignment.addresses : list(present['addresses'])
  const outcomes =
    facts.listeners ??
    gateway.listeners.map((listener) => outcomeOf(listener, waypointListenerConditions(gateway, listener)))
  const accepted = acceptedOf(gateway, deploys, facts.invalidParameters, outcomes)
  const nothingServed =
    deploys.role === 'router' && accepted.reason === 'ListenersNotValid' && accepted.status === 'False'
  return {
    ...(addresses.length === 0 ? {} : { addresses }),
    conditions: write(
      [
        accepted,
        nothingServed ? no('Programmed', 'Invalid', accepted.message) : assignment.programmed,
        yes('ResolvedRefs', 'ResolvedRefs', 'All references resolved'),
      ],
      present,
    ),
    listeners: outcomes.map((outcome) => listenerStatus(outcome, present, write)),
  }
}

function acceptedOf(
  gateway: GatewayRequest,
  kind: DeployedKind,
  invalidParameters: string | undefined,
  outcomes: readonly ListenerOutcome[],
): Condition {
  if (invalidParameters !== undefined) return no('Accepted', 'InvalidParameters', invalidParameters)
  const problem = hasDeployableAddress(gateway) ? nameProblem(gateway, kind) : undefined
  if (problem !== undefined) return no('Accepted', 'Invalid', problem)
  if (kind.role === 'waypoint' && gateway.listeners.some((listener) => !isWaypointListener(gateway, listener)))
    return no('Accepted', 'ListenersNotValid', LISTENER_RULE)
  const refused = outcomes.filter(({ conditions }) =>
    conditions.some(({ type, status }) => type === 'Accepted' && status === 'False'),
  )
  if (refused.length > 0) {
    const message = `listeners that are not served: ${refused.map(({ name }) => name).join(', ')}`
    // Gateway API: True as long as some listener is served.
    const some = refused.length < outcomes.length
    return { type: 'Accepted', status: some ? 'True' : 'False', reason: 'ListenersNotValid', message }
  }
  return yes('Accepted', 'Accepted', 'Resource accepted')
}

interface Assignment {
  readonly programmed: Condition
  readonly addresses: readonly GatewayAddress[]
}

/** Which Services serve which ports, and where they are reached; the sentences are Istio's. */
function assign(gateway: GatewayRequest, kind: DeployedKind, verdict: StatusFacts['services']): Assignment {
  if (!verdict.ok) return { programmed: no('Programmed', 'AddressNotUsable', verdict.message), addresses: [] }
  const ports = [...new Set(gateway.listeners.map(({ port }) => port))]
  const warnings: string[] = []
  const internal: string[] = []
  const serving: Serving[] = []
  let usable = true
  for (const service of verdict.services) {
    const host = JSON.stringify(service.host)
    if (!isServing(service)) {
      warnings.push(`no instances found for hostname ${host}`)
      continue
    }
    const missing = ports.filter((port) => !service.ports.includes(port))
    usable &&= missing.length === 0
    for (const port of missing) warnings.push(`port ${port} not found for hostname ${host}`)
    if (missing.length === ports.length) continue
    serving.push(service)
    internal.push(...ports.filter((port) => !missing.includes(port)).map((port) => `${service.host}:${port}`))
    if (service.loadBalancer && service.external.length === 0) warnings.push(`address pending for hostname ${host}`)
  }
  return {
    programmed: programmedOf(internal, warnings, usable),
    addresses: addressesOf(gateway, kind, serving),
  }
}

function programmedOf(internal: readonly string[], warnings: readonly string[], usable: boolean): Condition {
  const assigned = enumerated(internal)
  if (warnings.length === 0)
    return yes('Programmed', 'Programmed', `Resource programmed, assigned to service(s) ${assigned}`)
  const reason = usable ? 'AddressNotAssigned' : 'AddressNotUsable'
  const said = warnings.join('; ')
  return internal.length === 0
    ? no('Programmed', reason, `Failed to assign to any requested addresses: ${said}`)
    : no(
        'Programmed',
        reason,
        `Assigned to service(s) ${assigned}, but failed to assign to all requested addresses: ${said}`,
      )
}

type Serving = ServingService & { readonly clusterIps: readonly Ip[] }

function isServing(service: ServingService): service is Serving {
  return service.clusterIps !== undefined && service.ready
}

/** From outside the cluster, where there is such an address; else from inside. */
function addressesOf(
  gateway: GatewayRequest,
  kind: DeployedKind,
  services: readonly Serving[],
): readonly GatewayAddress[] {
  const external = services.flatMap((service) => service.external)
  if (external.length > 0) return external
  const ips = services.flatMap(({ clusterIps }) => clusterIps.map((value) => ({ type: 'IPAddress', value })))
  const hosts = services.map(({ host }) => ({ type: 'Hostname', value: host }))
  const asked = gateway.annotations[ADDRESS_TYPE_ANNOTATION]
  const only: readonly string[] = asked === 'IPAddress' || asked === 'Hostname' ? [asked] : kind.internalAddresses
  return [...ips, ...hosts].filter(({ type }) => only.includes(type))
}

function waypointListenerConditions(gateway: GatewayRequest, listener: RequestedListener): readonly Condition[] {
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

/** Routes bind to the Services behind a waypoint, not to its listener. */
function outcomeOf({ name }: RequestedListener, conditions: readonly Condition[]): ListenerOutcome {
  return { name, attachedRoutes: 0, supportedKinds: [], conditions }
}

function listenerStatus(
  { name, attachedRoutes, supportedKinds, conditions }: ListenerOutcome,
  status: Json,
  write: (conditions: readonly Condition[], there: unknown) => readonly Json[],
): Json {
  return { name, attachedRoutes, supportedKinds, conditions: write(conditions, listenerNow(status, name)) }
}

function listenerNow(status: Json, name: string): Json {
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
