import { waypointpb } from '@ambit/api'
import type { GatewayListener, ListenerTls, ObjectRef } from '../domain.types.ts'
import type { Condition } from '../status/condition.ts'

const { ClientCertificates } = waypointpb

const ROUTE_GROUP = 'gateway.networking.k8s.io'
/** In place of modes Gateway API has no field for (Istio). */
const TERMINATE_MODE_OPTION = 'gateway.istio.io/tls-terminate-mode'
/** Suffix of the Secret with the certificates that sign those of clients, where it is not in the server's own (Istio). */
export const CLIENT_CA_SUFFIX = '-cacert'

export interface RouteKind {
  readonly group: string
  readonly kind: string
}

/** Routes of requests: what a listener that is HTTP carries. */
const HTTP_KINDS: readonly RouteKind[] = ['HTTPRoute', 'GRPCRoute'].map((kind) => ({ group: ROUTE_GROUP, kind }))

export interface Problem {
  readonly reason: string
  readonly message: string
}

/** What a listener that ends TLS needs; names are those of credentials. */
export interface Termination {
  readonly credentials: readonly string[]
  readonly clientCertificates: waypointpb.ClientCertificates
  readonly clientAuthorities: readonly string[]
}

export interface JudgedListener {
  readonly listener: GatewayListener
  readonly kinds: readonly RouteKind[]
  /** What stands against serving it, by condition. */
  readonly unaccepted: Problem | undefined
  readonly conflict: Problem | undefined
  readonly unresolved: Problem | undefined
  /** Undefined: plain, or not served. */
  readonly tls: Termination | undefined
}

/** Whether a reference to a Secret can be followed. */
export type CredentialVerdict =
  | { readonly ok: true; readonly name: string; readonly hasAuthorities: boolean }
  | { readonly ok: false; readonly problem: Problem }

export interface CredentialLookup {
  readonly certificate: (ref: ObjectRef) => CredentialVerdict
  /** A Secret beside one that was found. */
  readonly authorities: (namespace: string, name: string) => CredentialVerdict
}

export function isServed({ unaccepted, conflict, unresolved }: JudgedListener): boolean {
  return unaccepted === undefined && conflict === undefined && unresolved === undefined
}

/** Each listener of a Gateway: what stands against it, alone and beside the others. */
export function judgeListeners(
  listeners: readonly GatewayListener[],
  lookup: CredentialLookup,
): readonly JudgedListener[] {
  return listeners.map((listener) => {
    const { kinds, allKnown } = supportedKinds(listener)
    const unaccepted = unsupported(listener)
    const tls =
      unaccepted === undefined && listener.protocol === 'HTTPS' ? terminationOf(listener.tls, lookup) : undefined
    const invalidKinds = allKnown ? undefined : { reason: 'InvalidRouteKinds', message: 'Invalid route kinds' }
    return {
      listener,
      kinds,
      unaccepted,
      conflict: conflictOf(listener, listeners),
      unresolved: (tls?.ok === false ? tls.problem : undefined) ?? invalidKinds,
      tls: tls?.ok === true ? tls.termination : undefined,
    }
  })
}

/** The kinds of routes it takes, and whether those it asks for are all among what there is. */
export function supportedKinds({ protocol, allowedKinds }: GatewayListener): {
  readonly kinds: readonly RouteKind[]
  readonly allKnown: boolean
} {
  const carried = protocol === 'HTTP' || protocol === 'HTTPS' ? HTTP_KINDS : []
  if (allowedKinds.length === 0) return { kinds: carried, allKnown: true }
  const isAllowed = (one: RouteKind): boolean =>
    allowedKinds.some(({ group, kind }) => group === one.group && kind === one.kind)
  const kinds = carried.filter(isAllowed)
  return { kinds, allKnown: kinds.length === allowedKinds.length }
}

function unsupported({ protocol, tls }: GatewayListener): Problem | undefined {
  const upper = protocol.toUpperCase()
  if (protocol === 'HTTP') return undefined
  if (protocol === 'HTTPS') {
    if (tls === undefined || tls.mode === 'Terminate') return undefined
    return { reason: 'UnsupportedValue', message: `tls.mode ${tls.mode} is not supported for protocol HTTPS` }
  }
  const hint = upper === 'HTTP' || upper === 'HTTPS' ? `. hint: "${upper}" (uppercase) may be supported` : ''
  return { reason: 'UnsupportedProtocol', message: `protocol ${JSON.stringify(protocol)} is unsupported${hint}` }
}

/** Nobody of those who contradict each other is served: which was meant is not for us to say. */
function conflictOf(listener: GatewayListener, all: readonly GatewayListener[]): Problem | undefined {
  const others = all.filter((other) => other !== listener && other.port === listener.port)
  const foreign = others.find((other) => isTls(other) !== isTls(listener))
  if (foreign !== undefined)
    return {
      reason: 'ProtocolConflict',
      message: `listener ${foreign.name} has protocol ${foreign.protocol} on the same port`,
    }
  const twin = others.find(({ protocol, hostname }) => protocol === listener.protocol && hostname === listener.hostname)
  return twin && { reason: 'HostnameConflict', message: `listener ${twin.name} has the same port and hostname` }
}

function isTls({ protocol }: GatewayListener): boolean {
  return protocol === 'HTTPS' || protocol === 'TLS'
}

type TerminationVerdict =
  | { readonly ok: true; readonly termination: Termination }
  | { readonly ok: false; readonly problem: Problem }

function terminationOf(tls: ListenerTls | undefined, lookup: CredentialLookup): TerminationVerdict {
  const [first] = tls?.certificates ?? []
  if (tls === undefined || first === undefined) return bad('a certificate reference is required to terminate TLS')
  const found: (CredentialVerdict & { ok: true })[] = []
  for (const ref of tls.certificates) {
    const verdict = lookup.certificate(ref)
    if (!verdict.ok) return verdict
    found.push(verdict)
  }
  const credentials = found.map(({ name }) => name)
  const mode = tls.options[TERMINATE_MODE_OPTION] ?? 'SIMPLE'
  if (mode === 'SIMPLE')
    return {
      ok: true,
      termination: { credentials, clientCertificates: ClientCertificates.NO_CLIENT_CERTIFICATE, clientAuthorities: [] },
    }
  if (mode !== 'MUTUAL' && mode !== 'OPTIONAL_MUTUAL') return bad(`${TERMINATE_MODE_OPTION}: ${mode} is not supported`)
  const own = found[0]?.hasAuthorities === true ? credentials.slice(0, 1) : undefined
  if (own === undefined) {
    const beside = lookup.authorities(first.namespace, `${first.name}${CLIENT_CA_SUFFIX}`)
    if (!beside.ok) return beside
    return { ok: true, termination: { credentials, ...asked(mode), clientAuthorities: [beside.name] } }
  }
  return { ok: true, termination: { credentials, ...asked(mode), clientAuthorities: own } }
}

function asked(mode: 'MUTUAL' | 'OPTIONAL_MUTUAL'): Pick<Termination, 'clientCertificates'> {
  return {
    clientCertificates:
      mode === 'MUTUAL'
        ? ClientCertificates.REQUIRED_CLIENT_CERTIFICATE
        : ClientCertificates.OPTIONAL_CLIENT_CERTIFICATE,
  }
}

function bad(message: string): TerminationVerdict {
  return { ok: false, problem: { reason: 'InvalidCertificateRef', message } }
}

/** Words of Istio. */
const FINE = 'No errors found'

export function listenerConditions(judged: JudgedListener): readonly Condition[] {
  const { unaccepted, conflict, unresolved } = judged
  const problem = unaccepted ?? conflict ?? unresolved
  const yes = (type: string): Condition => ({ type, status: 'True', reason: type, message: FINE })
  const no = (type: string, { reason, message }: Problem): Condition => ({ type, status: 'False', reason, message })
  const refused = unaccepted ?? conflict
  return [
    refused === undefined ? yes('Accepted') : no('Accepted', refused),
    conflict === undefined
      ? no('Conflicted', { reason: 'NoConflicts', message: FINE })
      : { type: 'Conflicted', status: 'True', ...conflict },
    problem === undefined || problem.reason === 'InvalidRouteKinds'
      ? yes('Programmed')
      : no('Programmed', {
          reason: 'Invalid',
          message: unresolved === problem ? 'Bad TLS configuration' : problem.message,
        }),
    unresolved === undefined ? yes('ResolvedRefs') : no('ResolvedRefs', unresolved),
  ]
}
