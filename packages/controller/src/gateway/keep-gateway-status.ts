import { isDeepStrictEqual } from 'node:util'
import { LABELS } from '@ambit/api'
import { aborted, type Clock, type Logger } from '@ambit/core'
import { KINDS, type KubeObject, type StatusWriter } from '@ambit/kube'
import { statusOfObject } from '../watch/decode-meta.ts'
import { decodeEndpointSlice, decodeService } from '../watch/decode-service.ts'
import { type Json, list, record } from '../watch/json.ts'
import type { ClusterWatch } from '../watch/watch-cluster.ts'
import type { GatewayRequest } from './gateway.types.ts'
import { BUILTIN_CLASSES } from './gateway-classes.ts'
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
import { renderWaypoint } from './render-waypoint.ts'

export interface GatewayStatusParts {
  readonly inputs: GatewayInputs
  readonly sets: Pick<ClusterWatch['sets'], 'service' | 'endpointSlice' | 'gateway'>
  readonly writer: StatusWriter
  readonly domain: string
  readonly clock: Clock
  readonly logger: Logger
}

/** Leader's work: every Gateway of our classes says whether it is accepted, whether it works, and where. */
export async function keepGatewayStatus(parts: GatewayStatusParts, signal: AbortSignal): Promise<void> {
  const { inputs, sets, writer, domain, clock, logger } = parts
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
    const requested = servicesOf(gateway, domain)
    if (requested.ok)
      for (const { namespace, name } of requested.services)
        watchers.getOrInsertComputed(`${namespace}/${name}`, () => new Set<string>()).add(key)
    const services: StatusFacts['services'] = requested.ok
      ? { ok: true, services: requested.services.map((service) => serving(parts, service, gateway)) }
      : requested
    const invalidParameters = parameterProblem(inputs, gateway)
    const present = statusOfObject(object)
    const wanted = gatewayStatus(gateway, present, { cls, invalidParameters, services, nowMs: clock.now() })
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
function parameterProblem(inputs: GatewayInputs, gateway: GatewayRequest): string | undefined {
  const verdict = inputs.overlays(gateway)
  if (!verdict.ok) return verdict.reason
  const settings = inputs.settings()
  if (!settings.ok || verdict.overlays.length === 0) return undefined
  const rendered = applyOverlays(renderWaypoint(gateway, settings.settings, undefined), verdict.overlays)
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
  return {
    host,
    clusterIps: object === undefined ? undefined : decodeService(object, domain).clusterIps,
    ready: [...sets.endpointSlice.inNamespace(namespace)].some((slice) => {
      if (slice.metadata.labels?.[LABELS.serviceName] !== name) return false
      return decodeEndpointSlice(slice)?.endpoints.some(({ ready }) => ready) ?? false
    }),
  }
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
