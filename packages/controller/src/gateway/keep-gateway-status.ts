import { isDeepStrictEqual } from 'node:util'
import { LABELS } from '@ambit/api'
import { aborted, type Clock, type Logger } from '@ambit/core'
import { KINDS, type KubeObject, type StatusWriter } from '@ambit/kube'
import type { MeshIndex } from '../index/mesh-index.ts'
import { partsOf, unit } from '../index/units.ts'
import { specOf, statusOfObject } from '../watch/decode-meta.ts'
import { decodeEndpointSlice, decodeService } from '../watch/decode-service.ts'
import { type Json, list, record, text, texts } from '../watch/json.ts'
import type { ClusterWatch } from '../watch/watch-cluster.ts'
import type { GatewayAddress, GatewayRequest } from './gateway.types.ts'
import { BUILTIN_CLASSES, type BuiltinClass } from './gateway-classes.ts'
import type { GatewayInputs } from './gateway-inputs.ts'
import {
  gatewayStatus,
  type RequestedService,
  type ServingService,
  type StatusFacts,
  servicesOf,
} from './gateway-status.ts'
import { KeyedQueue } from './keyed-queue.ts'
import { hasDeployableAddress } from './management.ts'
import { applyOverlays } from './overlays.ts'
import { otherOwner } from './ownership.ts'
import { renderGateway } from './render-gateway.ts'

export interface GatewayStatusParts {
  readonly inputs: GatewayInputs
  readonly index: Pick<MeshIndex, 'onStatus' | 'resultOf'>
  readonly sets: Pick<ClusterWatch['sets'], 'service' | 'endpointSlice' | 'gateway'>
  readonly writer: StatusWriter
  readonly domain: string
  readonly clock: Clock
  readonly logger: Logger
}

/** Leader's work: every Gateway of our classes says whether it is accepted, whether it works, and where. */
export async function keepGatewayStatus(parts: GatewayStatusParts, signal: AbortSignal): Promise<void> {
  const { inputs, index, sets, writer, domain, clock, logger } = parts
  await Promise.race([inputs.synced, aborted(signal)])
  if (signal.aborted) return
  /** Which Gateways look at a Service, `namespace/name`. */
  const watchers = new Map<string, Set<string>>()
  const work = (key: string): Promise<void> => {
    for (const [service, gateways] of watchers)
      if (gateways.delete(key) && gateways.size === 0) watchers.delete(service)
    const ours = inputs.ours(key)
    if (ours === undefined) return Promise.resolve()
    const { object, gateway, cls } = ours
    const takesRoutes = cls.deploys?.role === 'router'
    const listeners = takesRoutes
      ? index.resultOf(unit('gateway', gateway.namespace, gateway.name))?.listeners
      : undefined
    // What they name is still being looked for.
    if (takesRoutes && listeners === undefined) return Promise.resolve()
    const requested = servicesOf(gateway, cls, domain)
    if (requested.ok)
      for (const { namespace, name } of requested.services)
        watchers.getOrInsertComputed(`${namespace}/${name}`, () => new Set<string>()).add(key)
    const services: StatusFacts['services'] = requested.ok
      ? { ok: true, services: requested.services.map((service) => serving(parts, service, gateway)) }
      : requested
    const invalidParameters = parameterProblem(inputs, gateway, cls)
    const present = statusOfObject(object)
    const wanted = gatewayStatus(gateway, present, { cls, invalidParameters, services, listeners, nowMs: clock.now() })
    const { namespace, name } = gateway
    const write = { kind: KINDS.gateway, namespace, name, fieldManager: cls.controllerName }
    if (says(present, wanted)) writer.forget(write)
    else writer.write({ ...write, uid: object.metadata.uid, status: wanted })
    return Promise.resolve()
  }
  const queue = new KeyedQueue({ work, what: 'status of a Gateway not decided', clock, logger }, signal)
  const touch = (key: string): void => {
    for (const gateway of watchers.get(key) ?? []) queue.add(gateway)
  }
  const serviceChanged = ({ metadata }: KubeObject): void => touch(`${metadata.namespace ?? ''}/${metadata.name}`)
  const sliceChanged = ({ metadata }: KubeObject): void =>
    touch(`${metadata.namespace ?? ''}/${metadata.labels?.[LABELS.serviceName] ?? ''}`)
  using _listeners = index.onStatus((at) => {
    const { kind, namespace, name } = partsOf(at)
    if (kind === 'gateway') queue.add(`${namespace}/${name}`)
  })
  using _inputs = inputs.follow((key) => queue.add(key))
  using _services = sets.service.subscribe({ add: serviceChanged, update: serviceChanged, delete: serviceChanged })
  using _slices = sets.endpointSlice.subscribe({ add: sliceChanged, update: sliceChanged, delete: sliceChanged })
  using _gone = sets.gateway.subscribe({
    delete: ({ metadata: { namespace, name } }) => forgetAll(writer, namespace, name),
  })
  await aborted(signal)
}

function forgetAll(writer: StatusWriter, namespace: string | undefined, name: string): void {
  for (const { controllerName } of BUILTIN_CLASSES)
    writer.forget({ kind: KINDS.gateway, namespace, name, fieldManager: controllerName })
}

/** Why the Gateway's customization can not be used; what is wrong with the installation is not its fault. */
function parameterProblem(
  inputs: GatewayInputs,
  gateway: GatewayRequest,
  { deploys }: BuiltinClass,
): string | undefined {
  const verdict = inputs.overlays(gateway)
  if (!verdict.ok) return verdict.reason
  const settings = inputs.settings()
  if (!settings.ok || deploys === undefined || verdict.overlays.length === 0) return undefined
  const rendered = applyOverlays(renderGateway(gateway, deploys, settings.settings, undefined), verdict.overlays)
  return rendered.ok ? undefined : rendered.reason
}

function serving(
  parts: Pick<GatewayStatusParts, 'sets' | 'domain'>,
  service: RequestedService,
  gateway: GatewayRequest,
): ServingService {
  const { sets, domain } = parts
  const { namespace, name, host } = service
  const present = sets.service.get(namespace, name)
  // What was deployed for another Gateway serves that one.
  const taken = hasDeployableAddress(gateway) && present !== undefined && otherOwner(present, gateway.uid) !== undefined
  const object = taken ? undefined : present
  const decoded = object === undefined ? undefined : decodeService(object, domain)
  return {
    host,
    clusterIps: decoded?.clusterIps,
    ports: decoded?.ports.map(({ port }) => port) ?? [],
    loadBalancer: object !== undefined && specOf(object)['type'] === 'LoadBalancer',
    external: object === undefined ? [] : externalAddresses(object),
    ready: [...sets.endpointSlice.inNamespace(namespace)].some((slice) => {
      if (slice.metadata.labels?.[LABELS.serviceName] !== name) return false
      return decodeEndpointSlice(slice)?.endpoints.some(({ ready }) => ready) ?? false
    }),
  }
}

/** What the cluster's load balancer gave it, and addresses that lead to it anyway. */
function externalAddresses(service: KubeObject): readonly GatewayAddress[] {
  const balancer = record(statusOfObject(service)['loadBalancer'])
  const given = list(balancer['ingress']).flatMap((entry): readonly GatewayAddress[] => {
    const { ip, hostname } = record(entry)
    if (text(ip)) return [{ type: 'IPAddress', value: String(ip) }]
    return text(hostname) ? [{ type: 'Hostname', value: String(hostname) }] : []
  })
  const fixed = texts(specOf(service)['externalIPs']).map((value) => ({ type: 'IPAddress', value }))
  return [...given, ...fixed]
}

/** Whether the status has everything wanted already; conditions of others do not count. */
function says(present: Json, wanted: Json): boolean {
  const kinds = new Set(list(wanted['conditions']).map((condition) => record(condition)['type']))
  const ours = list(present['conditions']).filter((condition) => kinds.has(record(condition)['type']))
  return (
    sameByKey(ours, list(wanted['conditions']), 'type') &&
    isDeepStrictEqual(list(present['addresses']), list(wanted['addresses'])) &&
    list(present['listeners']).length === list(wanted['listeners']).length &&
    list(wanted['listeners']).every((listener) => {
      const { name, conditions, ...rest } = record(listener)
      const there = record(list(present['listeners']).find((entry) => record(entry)['name'] === name))
      return (
        sameByKey(list(there['conditions']), list(conditions), 'type') &&
        Object.entries(rest).every(([field, value]) => isDeepStrictEqual(there[field], value))
      )
    })
  )
}

function sameByKey(a: readonly unknown[], b: readonly unknown[], key: string): boolean {
  const sorted = (items: readonly unknown[]): readonly unknown[] =>
    items.toSorted((x, y) => (String(record(x)[key]) < String(record(y)[key]) ? -1 : 1))
  return isDeepStrictEqual(sorted(a), sorted(b))
}
