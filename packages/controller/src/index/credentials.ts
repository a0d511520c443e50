import { waypointpb } from '@ambit/api'
import type { ResourceInput } from '@ambit/xds'
import { create, toBinary } from '@bufbuild/protobuf'
import type { CredentialVerdict, Problem } from '../compile/listener.ts'
import type { Gateway, ObjectRef } from '../domain.types.ts'
import type { Credential } from '../ingress.types.ts'
import { credentialKey, grantsKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import { partsOf } from './units.ts'
import type { Uses } from './uses.types.ts'

const GATEWAY_GROUP = 'gateway.networking.k8s.io'

/** What a credential is called by listeners and by those who send it. */
export function credentialName(namespace: string, name: string): string {
  return `${namespace}/${name}`
}

/** The credential as it is sent, to the gateways that name it and nobody else. */
export function credentialResource(state: MeshState, namespace: string, name: string): readonly ResourceInput[] {
  const credential = state.credentials.get(namespace, name)
  if (credential === undefined || !isUsable(credential)) return []
  const audience = [...state.links.credentialUsers.get(credentialName(namespace, name))].flatMap((user) => {
    const { kind, namespace: place, name: router } = partsOf(user)
    return kind === 'router' ? [`${place}/${router}`] : []
  })
  if (audience.length === 0) return []
  const { certificateChainPem, privateKeyPem, caPem } = credential
  const message = create(waypointpb.CredentialSchema, { certificateChainPem, privateKeyPem, caPem })
  return [
    {
      name: credentialName(namespace, name),
      audience: audience.sort(),
      bytes: toBinary(waypointpb.CredentialSchema, message),
    },
  ]
}

function isUsable({ certificateProblem, caProblem }: Credential): boolean {
  return certificateProblem === undefined || caProblem === undefined
}

/** What a Gateway's listeners find of the Secrets they name. `wants` hears of every Secret that is to be looked for. */
export function credentialLookup(
  state: MeshState,
  gateway: Pick<Gateway, 'namespace'>,
  { uses, wants }: { readonly uses: Uses; readonly wants: (name: string) => void },
): {
  readonly certificate: (ref: ObjectRef) => CredentialVerdict
  readonly authorities: (namespace: string, name: string) => CredentialVerdict
} {
  const find = (namespace: string, name: string): Credential | undefined => {
    wants(credentialName(namespace, name))
    uses(credentialKey(namespace, name))
    return state.credentials.get(namespace, name)
  }
  return {
    certificate: (ref) => {
      const { group, kind, namespace, name } = ref
      const spelled = `${group || 'core'}/${kind}/${name}.${namespace}`
      if ((group !== '' && group !== 'core') || kind !== 'Secret')
        return bad(`invalid certificate reference ${spelled}, only secret is allowed`)
      const refused = permitted(state, gateway, ref, uses)
      if (refused !== undefined) return { ok: false, problem: refused }
      const found = find(namespace, name)
      if (found === undefined) return pending(namespace, name)
      if (found.certificateProblem !== undefined)
        return bad(`invalid certificate reference ${spelled}, ${found.certificateProblem}`)
      return { ok: true, name: credentialName(namespace, name), hasAuthorities: found.caProblem === undefined }
    },
    authorities: (namespace, name) => {
      const found = find(namespace, name)
      if (found === undefined) return pending(namespace, name)
      if (found.caProblem !== undefined)
        return bad(`no certificates to check those of clients with: secret ${namespace}/${name}: ${found.caProblem}`)
      return { ok: true, name: credentialName(namespace, name), hasAuthorities: true }
    },
  }
}

function permitted(
  state: MeshState,
  gateway: Pick<Gateway, 'namespace'>,
  ref: ObjectRef,
  uses: Uses,
): Problem | undefined {
  if (ref.namespace === gateway.namespace) return undefined
  uses(grantsKey(ref.namespace))
  for (const { from, to } of state.grants.in(ref.namespace)) {
    const comes = from.some(
      ({ group, kind, namespace }) => group === GATEWAY_GROUP && kind === 'Gateway' && namespace === gateway.namespace,
    )
    const goes = to.some(
      ({ group, kind, name }) =>
        (group === '' || group === 'core') && kind === 'Secret' && (name === '' || name === ref.name),
    )
    if (comes && goes) return undefined
  }
  return {
    reason: 'RefNotPermitted',
    message: `certificateRef ${ref.namespace}/${ref.name} not accessible to a Gateway in namespace "${gateway.namespace}" (missing a ReferenceGrant?)`,
  }
}

/** Reason of what is not known yet; nothing is said of a listener with it. */
export const CREDENTIAL_PENDING = 'Pending'

function pending(namespace: string, name: string): CredentialVerdict {
  const message = `secret ${credentialName(namespace, name)} has not been looked for yet`
  return { ok: false, problem: { reason: CREDENTIAL_PENDING, message } }
}

function bad(message: string): CredentialVerdict {
  return { ok: false, problem: { reason: 'InvalidCertificateRef', message } }
}
