import { authorizationpb } from '@ambit/api'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { MtlsMode, PeerAuthentication } from '../domain.types.ts'

type ClauseInit = MessageInitShape<typeof authorizationpb.ClauseSchema> & object

export const STATIC_STRICT_NAME = 'istio_converted_static_strict'

/** Present whenever any PeerAuthentication is: denies what comes without an identity. */
export function staticStrict(rootNamespace: string): authorizationpb.Authorization {
  return denial(rootNamespace, STATIC_STRICT_NAME, [[anonymous()]])
}

/** The policies that bear on one workload, the most specific first. */
export interface EffectiveAuthentication {
  readonly workload?: PeerAuthentication | undefined
  readonly namespace?: PeerAuthentication | undefined
  readonly mesh?: PeerAuthentication | undefined
}

/** DISABLE counts as PERMISSIVE: ambient traffic is encrypted whatever the mode, only plaintext may be refused. */
export function isStrict(levels: EffectiveAuthentication): boolean {
  const modes = [levels.workload?.mode, levels.namespace?.mode, levels.mesh?.mode]
  return (modes.find((mode) => mode !== undefined && mode !== 'UNSET') ?? 'PERMISSIVE') === 'STRICT'
}

/**
 * The workload policy's port exceptions as a denial of anonymous peers; undefined when the mode says it all, or when
 * the policy is not one for workloads.
 */
export function convertPeerAuthentication(
  levels: EffectiveAuthentication,
  rootNamespace: string,
): authorizationpb.Authorization | undefined {
  const { workload } = levels
  if (workload === undefined || workload.selector === undefined || workload.namespace === rootNamespace)
    return undefined
  const rules = isStrict(levels) ? exemptions(workload) : strictPorts(workload)
  if (rules.length === 0) return undefined
  return denial(workload.namespace, convertedName(workload), rules)
}

export function convertedName(policy: Pick<PeerAuthentication, 'name'>): string {
  return `converted_peer_authentication_${policy.name}`
}

/** Names of policies to attach to a workload, as `namespace/name`. */
export function attachedAuthentication(levels: EffectiveAuthentication, rootNamespace: string): readonly string[] {
  if (convertPeerAuthentication(levels, rootNamespace) !== undefined && levels.workload !== undefined) {
    return [`${levels.workload.namespace}/${convertedName(levels.workload)}`]
  }
  return isStrict(levels) ? [`${rootNamespace}/${STATIC_STRICT_NAME}`] : []
}

/** Mode strict but for some ports: one rule, anonymous and none of those ports. */
function exemptions(policy: PeerAuthentication): readonly (readonly ClauseInit[])[] {
  const own = policy.mode === 'STRICT'
  const exempt = portsWith(policy, (mode) => mode === 'PERMISSIVE' || mode === 'DISABLE')
  // Istio looks only for PERMISSIVE when the strictness is inherited; DISABLE alone then exempts nothing.
  const triggers = own ? exempt : portsWith(policy, (mode) => mode === 'PERMISSIVE')
  if (triggers.length === 0) return []
  const ports = exempt.map((port) => ({ matches: [{ notDestinationPorts: [port] }] }))
  return [own ? [anonymous(), ...ports] : [...ports, anonymous()]]
}

/** Mode permissive but for some ports: one rule for each, anonymous and that port. */
function strictPorts(policy: PeerAuthentication): readonly (readonly ClauseInit[])[] {
  return portsWith(policy, (mode) => mode === 'STRICT').map((port) => [
    { matches: [{ notPrincipals: [presence()], destinationPorts: [port] }] },
  ])
}

function portsWith(policy: PeerAuthentication, test: (mode: MtlsMode) => boolean): readonly number[] {
  return [...policy.portModes].filter(([, mode]) => test(mode)).map(([port]) => port)
}

function anonymous(): ClauseInit {
  return { matches: [{ notPrincipals: [presence()] }] }
}

function presence(): MessageInitShape<typeof authorizationpb.StringMatchSchema> & object {
  return { matchType: { case: 'presence', value: {} } }
}

function denial(
  namespace: string,
  name: string,
  rules: readonly (readonly ClauseInit[])[],
): authorizationpb.Authorization {
  return create(authorizationpb.AuthorizationSchema, {
    name,
    namespace,
    scope: authorizationpb.Scope.WORKLOAD_SELECTOR,
    action: authorizationpb.Action.DENY,
    rules: rules.map((clauses) => ({ clauses: [...clauses] })),
  })
}
