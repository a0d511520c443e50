import { MAX_REVIEWED_VALUES } from '../limits.ts'
import { isRecord, type Json, record, text } from '../watch/json.ts'
import { checkAuthorizationPolicy } from './authorization-policy.ts'
import { checkDestinationRule } from './destination-rule.ts'
import { checkGateway } from './gateway.ts'
import { Report } from './report.ts'
import { checkPeerAuthentication, checkRequestAuthentication, checkTelemetry } from './security-policies.ts'
import { checkEndpoint, checkServiceEntry } from './service-entry.ts'
import { checkVirtualService } from './virtual-service.ts'

/** On an object that is refused whatever it says: that is how the webhook itself is tried (Istio). */
export const ALWAYS_REJECT = 'internal.istio.io/webhook-always-reject'

export interface Validity {
  /** Empty: the object is allowed. */
  readonly errors: readonly string[]
  readonly warnings: readonly string[]
}

type Check = (spec: Json, report: Report, about: { readonly name: string; readonly namespace: string }) => void

/** By group and kind: versions of a kind have one schema. */
const CHECKS: Readonly<Record<string, Check>> = {
  'networking.istio.io/VirtualService': checkVirtualService,
  'networking.istio.io/DestinationRule': checkDestinationRule,
  'networking.istio.io/Gateway': checkGateway,
  'networking.istio.io/ServiceEntry': checkServiceEntry,
  'networking.istio.io/WorkloadEntry': (spec, report) =>
    checkEndpoint(spec, 'spec', report, { names: undefined, needsIp: false }),
  'security.istio.io/AuthorizationPolicy': checkAuthorizationPolicy,
  'security.istio.io/PeerAuthentication': checkPeerAuthentication,
  'security.istio.io/RequestAuthentication': checkRequestAuthentication,
  'telemetry.istio.io/Telemetry': checkTelemetry,
}

/** The kinds that are looked at, `group/kind`. */
export const VALIDATED_KINDS: readonly string[] = Object.keys(CHECKS)

/** What a schema can not say of an object: whether it can be followed, and whether its author meant it so. */
export function validateObject(object: Json): Validity {
  const report = new Report()
  const [group = ''] = (text(object['apiVersion']) ?? '').split('/')
  const metadata = record(object['metadata'])
  const check = CHECKS[`${group}/${text(object['kind']) ?? ''}`]
  if (record(metadata['annotations'])[ALWAYS_REJECT] !== undefined)
    report.error(`metadata.annotations[${ALWAYS_REJECT}]`, 'is refused')
  if (check === undefined) return report
  if (hasMoreValuesThan(object, MAX_REVIEWED_VALUES)) {
    report.warn('spec', `has more than ${MAX_REVIEWED_VALUES} values and was not looked at`)
    return report
  }
  const { spec = {} } = object
  if (!isRecord(spec)) report.error('spec', 'must be an object')
  else check(spec, report, { name: text(metadata['name']) ?? '', namespace: text(metadata['namespace']) ?? '' })
  return report
}

function hasMoreValuesThan(object: Json, limit: number): boolean {
  const waiting: unknown[] = [object]
  for (let seen = 0; waiting.length > 0; ) {
    const value = waiting.pop()
    if (typeof value !== 'object' || value === null) continue
    const inside = Object.values(value)
    seen += inside.length
    if (seen > limit) return true
    waiting.push(...inside)
  }
  return false
}
