import { groupKindOf } from '@ambit/controller/judgement'
import { list, record, text } from '../field.ts'
import type { Analyzer, Finding } from '../message.types.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Sourced } from '../source.types.ts'

const KINDS = [
  'core/Service',
  'networking.istio.io/ServiceEntry',
  'networking.istio.io/WorkloadEntry',
  'networking.istio.io/VirtualService',
  'networking.istio.io/DestinationRule',
  'security.istio.io/AuthorizationPolicy',
  'gateway.networking.k8s.io/Gateway',
  'gateway.networking.k8s.io/HTTPRoute',
  'gateway.networking.k8s.io/GRPCRoute',
] as const

/** Types whose `False` says that something is wrong. */
const GOOD: ReadonlySet<string> = new Set([
  'istio.io/WaypointBound',
  'ZtunnelAccepted',
  'WaypointAccepted',
  'Accepted',
  'Programmed',
  'ResolvedRefs',
  'ResolvedWaypoints',
])
/** Types whose `True` does. */
const BAD: ReadonlySet<string> = new Set(['Conflicted', 'istio.io/WaypointMissing'])
/** `True`, and yet not all that was asked for is done. */
const HALF: ReadonlySet<string> = new Set(['PartiallyInvalid', 'UnsupportedValue', 'ListenersNotValid'])

interface Said {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly part: string
}

export const negativeConditions: Analyzer = {
  name: 'conditions.ConditionAnalyzer',
  summary: 'Whether the control plane says, or would say, that an object does not work as written',
  codes: ['IST0171'],
  *analyze(snapshot) {
    for (const kind of KINDS) for (const about of snapshot.of(kind)) yield* conditionsOf(snapshot, about)
  },
}

function* conditionsOf(snapshot: Snapshot, about: Sourced): Iterable<Finding> {
  const told = new Set<string>()
  for (const { type, status, reason, message, part } of said(snapshot, about)) {
    if (!isNegative({ type, status, reason }) || isTold(about, type)) continue
    const where = part === '' ? '' : `${part}: `
    const spelled = `A condition with a negative status is present: type=${type}, reason=${reason}, message=${where}${message.replace(/\.$/, '')}.`
    if (!told.has(spelled)) yield { code: 'IST0171', about, message: spelled }
    told.add(spelled)
  }
}

function isNegative({ type, status, reason }: Pick<Said, 'type' | 'status' | 'reason'>): boolean {
  if (BAD.has(type)) return status === 'True'
  return GOOD.has(type) && (status === 'False' || (status === 'True' && HALF.has(reason)))
}

/** Hosts, ports and subsets of VirtualServices are told one by one, with their lines (IST0101). */
function isTold({ object: { kind } }: Sourced, type: string): boolean {
  return kind === 'VirtualService' && type === 'ResolvedRefs'
}

/**
 * What would be said of the objects as they are now, files included. What depends on what runs, or on more than may be
 * read, is taken from the status.
 */
function said(snapshot: Snapshot, about: Sourced): readonly Said[] {
  const isGateway = groupKindOf(about.object) === 'gateway.networking.k8s.io/Gateway'
  const written = about.place === undefined ? writtenIn(about) : []
  if (!snapshot.canJudge) return written
  if (isGateway && written.length > 0) return written
  return snapshot.judgement.conditionsOf(about.object)
}

function writtenIn({ object }: Sourced): readonly Said[] {
  const read = (conditions: unknown, part: string): readonly Said[] =>
    list(conditions).map((entry) => {
      const { type, status, reason, message } = record(entry)
      return { type: text(type), status: text(status), reason: text(reason), message: text(message), part }
    })
  const status = record(object.status)
  return [
    ...read(status['conditions'], ''),
    ...list(status['listeners']).flatMap((entry) =>
      read(record(entry)['conditions'], `listener ${text(record(entry)['name'])}`),
    ),
    ...list(status['parents']).flatMap((entry) => {
      const { parentRef, conditions } = record(entry)
      const { kind, namespace, name } = record(parentRef)
      const place = text(namespace) || (object.metadata.namespace ?? '')
      return read(conditions, `${text(kind) || 'Gateway'} ${place}/${text(name)}`)
    }),
  ]
}
