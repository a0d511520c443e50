import {
  type AuthorizationPolicy,
  compileAuthorizationPolicy,
  labelsMatch,
  type PeerAuthentication,
  type RequestAuthentication,
  type TargetRef,
  targetsOfPolicy,
} from '@ambit/controller/judgement'
import { isNear } from '@ambit/core'
import type { Asked } from '../asked.types.ts'
import type { CompiledMesh } from '../compile/compile-mesh.ts'
import type { NotEnforced, PolicyTrace } from '../explanation.types.ts'
import { whyNotCaptured } from '../names/find-client.ts'
import { type Subject, type SubjectService, subjectOf } from './subject.ts'

type Finding = Pick<NotEnforced, 'code' | 'because'>

const UNUSED = (): void => undefined

/** Policies that look as if they were about this and decide nothing of it, with the reason for each; by name. */
export function notEnforced(
  compiled: CompiledMesh,
  asked: Asked,
  traced: readonly PolicyTrace[],
): readonly NotEnforced[] {
  const subject = subjectOf(compiled, asked)
  const { state } = compiled.judgement
  const enforced = new Map(traced.map((policy) => [`${policy.kind} ${policy.policy}`, policy]))
  const found: NotEnforced[] = []
  const add = (kind: NotEnforced['kind'], policy: Named, findings: readonly Finding[]): void => {
    for (const finding of findings) found.push({ policy: keyOf(policy), kind, ...finding })
  }
  for (const policy of state.policies) {
    const at = enforced.get(`AuthorizationPolicy ${keyOf(policy)}`)
    add(
      'AuthorizationPolicy',
      policy,
      at === undefined ? ofUnasked(compiled, subject, policy) : ofAsked(compiled, policy, at),
    )
  }
  for (const policy of state.requestAuthentications)
    add('RequestAuthentication', policy, ofRequestAuthentication(compiled, subject, policy))
  for (const policy of state.authentications)
    add('PeerAuthentication', policy, ofPeerAuthentication(compiled, subject, policy))
  return found.sort((a, b) => compare(a.policy, b.policy) || compare(a.kind, b.kind))
}

interface Named {
  readonly namespace: string
  readonly name: string
}

function keyOf({ namespace, name }: Named): string {
  return `${namespace}/${name}`
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

/** Of a policy that was asked: what of it the ztunnel could not be sent, or that it only reports. */
function ofAsked(compiled: CompiledMesh, policy: AuthorizationPolicy, trace: PolicyTrace): readonly Finding[] {
  if (trace.dryRun) return [dryRun(trace.matched)]
  if (policy.targetRefs.length > 0) {
    return policy.action === 'AUDIT'
      ? [{ code: 'not-accepted', because: 'AUDIT never changes what is let through' }]
      : []
  }
  return lostAtZtunnel(compiled, policy)
}

function dryRun(matched: boolean): Finding {
  return {
    code: 'dry-run',
    because: `it only reports (istio.io/dry-run): it would ${matched ? '' : 'not '}have matched`,
  }
}

/** HTTP where there is only a ztunnel. */
function lostAtZtunnel({ mesh }: CompiledMesh, policy: AuthorizationPolicy): readonly Finding[] {
  const { condition } = compileAuthorizationPolicy(policy, { rootNamespace: mesh.rootNamespace, dryRunEnabled: true })
  if (condition?.reason !== 'UnsupportedValue') return []
  const code = condition.status === 'False' ? 'not-accepted' : 'l7-without-waypoint'
  return [{ code, because: condition.message }]
}

function ofUnasked(compiled: CompiledMesh, subject: Subject, policy: AuthorizationPolicy): readonly Finding[] {
  if (policy.targetRefs.length > 0) return ofTargets(compiled, subject, policy)
  return ofPods(compiled, subject, policy)
}

/** Policies on pods: asked by the ztunnel before them, and by nobody else. */
function ofPods(compiled: CompiledMesh, subject: Subject, policy: AuthorizationPolicy): readonly Finding[] {
  const { pod, isGuarded, client, services } = subject
  const { namespace, selector } = policy
  const { rootNamespace } = compiled.mesh
  const waypoint = services
    .map((one) => one.waypoint)
    .find((one) => one !== undefined && selectsProxy(compiled, one, policy))
  if (waypoint !== undefined)
    return [
      { code: 'wrong-target', because: `it selects the pods of waypoint ${waypoint}, which follow targetRefs only` },
    ]
  if (pod === undefined || (selector !== undefined && !labelsMatch(selector, pod.labels))) return []
  if (namespace !== pod.namespace && namespace !== rootNamespace) {
    if (selector === undefined || namespace !== client.namespace) return []
    return [
      {
        code: 'other-namespace',
        because: `its selector fits pod ${keyOf(pod)}, and it is in namespace ${namespace}: it is about pods of that alone`,
      },
    ]
  }
  if (policy.action === 'AUDIT' || policy.action === 'CUSTOM') return lostAtZtunnel(compiled, policy)
  if (!isGuarded) return [unguarded(compiled, subject)]
  return policy.dryRun ? [{ code: 'dry-run', because: 'it only reports (istio.io/dry-run)' }] : []
}

function unguarded(compiled: CompiledMesh, { pod }: Subject): Finding {
  const why = pod === undefined ? 'it is no pod of the mesh' : whyNotCaptured(compiled, pod)
  return {
    code: 'not-captured',
    because: `no ztunnel stands before ${pod === undefined ? 'the endpoint' : `pod ${keyOf(pod)}`}, ${why}`,
  }
}

function selectsProxy(
  { judgement }: CompiledMesh,
  waypoint: string,
  { namespace, selector }: AuthorizationPolicy,
): boolean {
  const [place = '', name = ''] = waypoint.split('/')
  if (place !== namespace || selector === undefined) return false
  return [...judgement.state.pods.in(place)].some(
    (pod) => pod.labels['gateway.networking.k8s.io/gateway-name'] === name && labelsMatch(selector, pod.labels),
  )
}

type TargetOutcome = ReturnType<typeof targetsOfPolicy>[number]
type Targeting = Pick<AuthorizationPolicy, 'namespace' | 'name' | 'targetRefs'>

/** Policies on services and Gateways that no proxy on the way has. */
function ofTargets(compiled: CompiledMesh, subject: Subject, policy: Targeting): readonly Finding[] {
  const outcomes = targetsOfPolicy(compiled.judgement.state, policy as AuthorizationPolicy, UNUSED)
  for (const outcome of outcomes) {
    for (const service of subject.services) {
      if (!isAbout(service, policy, outcome)) continue
      const elsewhere = inOtherNamespace(compiled, service, policy, outcome.ref)
      return elsewhere === undefined ? ofTarget(subject, service, outcome) : [elsewhere]
    }
  }
  return []
}

function ofTarget(subject: Subject, service: SubjectService, { verdict }: TargetOutcome): readonly Finding[] {
  if (verdict.bound) return missed(subject, service, verdict.to)
  if (verdict.reason === 'AncestorNotBound') return [unbound(service, verdict.message)]
  return [{ code: 'wrong-target', because: verdict.message }]
}

/** Whether somebody who reads the policy would take it to be about this. */
function isAbout(
  { namespace: place, name, waypoint }: SubjectService,
  { namespace }: Targeting,
  { ref, verdict }: TargetOutcome,
): boolean {
  const gateway = waypoint?.split('/')[1]
  // A name that nobody has and that looks like the one that is meant.
  const isMistyped = (meant: string | undefined): boolean =>
    meant !== undefined &&
    !verdict.bound &&
    verdict.reason === 'TargetNotFound' &&
    (isNear(ref.name, meant) || isNear(meant, ref.name))
  switch (ref.kind) {
    case 'GatewayClass':
      return waypoint !== undefined
    case 'Gateway':
      return ref.name === gateway || isMistyped(gateway)
    default:
      return ref.name === name || (place === namespace && isMistyped(name))
  }
}

function inOtherNamespace(
  { mesh }: CompiledMesh,
  service: SubjectService,
  { namespace }: Targeting,
  ref: TargetRef,
): Finding | undefined {
  const of = (place: string): Finding => ({
    code: 'other-namespace',
    because: `it is in namespace ${namespace}, and ${ref.kind} ${ref.name} that is meant in ${place}: policies have a say in their own namespace`,
  })
  if (ref.namespace !== undefined && ref.namespace !== namespace) return of(ref.namespace)
  if (ref.kind === 'GatewayClass') {
    const because = `GatewayClass ${ref.name} can be targeted only from namespace ${mesh.rootNamespace}`
    return namespace === mesh.rootNamespace ? undefined : { code: 'other-namespace', because }
  }
  if (ref.kind === 'Gateway') {
    const [place = namespace, name] = service.waypoint?.split('/') ?? []
    return name === ref.name && place !== namespace ? of(place) : undefined
  }
  return service.name === ref.name && service.namespace !== namespace ? of(service.namespace) : undefined
}

/** A waypoint has the policy, and it did not come there. */
function missed({ client, passed }: Subject, service: SubjectService, to: string): readonly Finding[] {
  const { namespace, name, waypoint, isWaypointReady } = service
  if (passed.has(to) || (waypoint !== undefined && passed.has(waypoint))) return []
  if (!client.isCaptured)
    return [{ code: 'not-captured', because: `its requests do not go through waypoint ${to}: ${client.because}` }]
  if (waypoint !== undefined && !isWaypointReady)
    return [{ code: 'waypoint-not-ready', because: `waypoint ${waypoint} is not ready` }]
  const because = `waypoint ${to} serves the address of ${namespace}/${name}, and something else was addressed`
  return [{ code: 'waypoint-bypassed', because }]
}

function unbound({ waypoint, isWaypointReady }: SubjectService, message: string): Finding {
  if (waypoint !== undefined && !isWaypointReady)
    return { code: 'waypoint-not-ready', because: `waypoint ${waypoint} is not ready: ${message}` }
  return { code: 'l7-without-waypoint', because: message }
}

function ofRequestAuthentication(
  compiled: CompiledMesh,
  subject: Subject,
  policy: RequestAuthentication,
): readonly Finding[] {
  if (policy.targetRefs.length > 0) return ofTargets(compiled, subject, policy)
  const { pod } = subject
  if (pod === undefined || (policy.namespace !== pod.namespace && policy.namespace !== compiled.mesh.rootNamespace))
    return []
  if (policy.selector !== undefined && !labelsMatch(policy.selector, pod.labels)) return []
  return [{ code: 'l7-without-waypoint', because: 'ztunnel checks no tokens, and waypoints those of targetRefs only' }]
}

function ofPeerAuthentication(
  compiled: CompiledMesh,
  subject: Subject,
  policy: PeerAuthentication,
): readonly Finding[] {
  const { pod, isGuarded } = subject
  const { namespace, selector, mode, portModes } = policy
  const { rootNamespace } = compiled.mesh
  if (pod === undefined || (namespace !== pod.namespace && namespace !== rootNamespace)) return []
  if (selector !== undefined && !labelsMatch(selector, pod.labels)) return []
  if (selector !== undefined && namespace === rootNamespace)
    return [
      {
        code: 'not-accepted',
        because: `in namespace ${rootNamespace} only a PeerAuthentication without selector counts`,
      },
    ]
  const isStrict = mode === 'STRICT' || [...portModes.values()].includes('STRICT')
  return isStrict && !isGuarded ? [unguarded(compiled, subject)] : []
}
