import { waypointpb } from '@ambit/api'
import type { ListenerInit } from '../compile/gateway-settings.ts'
import { CLIENT_CA_SUFFIX } from '../compile/listener.ts'
import type { ServerTls } from '../ingress.types.ts'
import { credentialName } from './credentials.ts'
import { credentialKey } from './keys.ts'
import type { MeshState } from './mesh-state.ts'
import type { Uses } from './uses.types.ts'

const { ClientCertificates, TlsVersion } = waypointpb

const VERSIONS: Readonly<Record<string, waypointpb.TlsVersion>> = {
  TLSV1_2: TlsVersion.TLS_1_2,
  TLSV1_3: TlsVersion.TLS_1_3,
}
const CLIENTS: Readonly<Record<string, waypointpb.ClientCertificates>> = {
  SIMPLE: ClientCertificates.NO_CLIENT_CERTIFICATE,
  MUTUAL: ClientCertificates.REQUIRED_CLIENT_CERTIFICATE,
  OPTIONAL_MUTUAL: ClientCertificates.OPTIONAL_CLIENT_CERTIFICATE,
}

export type TerminationVerdict =
  /** `lacking`: what keeps it closed for now. */
  | { readonly ok: true; readonly tls: ListenerInit['tls'] & object; readonly lacking: readonly string[] }
  | { readonly ok: false; readonly why: string }

/** How a server of Istio's Gateway ends TLS. Secrets are those of the pods' namespace, and of no other (Istio). */
export function terminationOf(
  state: MeshState,
  namespace: string,
  tls: ServerTls | undefined,
  wants: (credential: string) => void,
  uses: Uses,
): TerminationVerdict {
  if (tls === undefined) return { ok: false, why: 'tls is required for protocol HTTPS' }
  const clientCertificates = CLIENTS[tls.mode]
  if (clientCertificates === undefined) return { ok: false, why: `tls.mode ${tls.mode} is not served` }
  const [first] = tls.credentialNames
  if (first === undefined)
    return { ok: false, why: 'tls.credentialName is required, certificates in files are not read' }
  const asks = clientCertificates !== ClientCertificates.NO_CLIENT_CERTIFICATE
  const written = [...tls.credentialNames, ...(asks && tls.caCredentialName !== '' ? [tls.caCredentialName] : [])]
  const foreign = written.find((name) => !isSecretName(name))
  if (foreign !== undefined)
    return { ok: false, why: `${JSON.stringify(foreign)} is no name of a Secret beside the gateway` }
  const lacking: string[] = []
  const want = (name: string, problem: 'certificateProblem' | 'caProblem'): string => {
    const credential = credentialName(namespace, name)
    wants(credential)
    uses(credentialKey(namespace, name))
    const why = state.credentials.get(namespace, name)?.[problem]
    if (why !== undefined) lacking.push(why.startsWith('secret ') ? why : `secret ${credential}: ${why}`)
    return credential
  }
  const credentials = tls.credentialNames.map((name) => want(name, 'certificateProblem'))
  return {
    ok: true,
    tls: {
      credentials,
      clientCertificates,
      clientAuthorities: asks ? [authoritiesOf(state, namespace, tls, first, want)] : [],
      clientSubjectAltNames: asks ? [...tls.subjectAltNames] : [],
      minVersion: VERSIONS[tls.minVersion] ?? TlsVersion.TLS_DEFAULT,
      maxVersion: VERSIONS[tls.maxVersion] ?? TlsVersion.TLS_DEFAULT,
    },
    lacking,
  }
}

/** The Secret named for it, else the server's own if it holds any, else the one beside it. */
function authoritiesOf(
  state: MeshState,
  namespace: string,
  { caCredentialName }: ServerTls,
  first: string,
  want: (name: string, problem: 'caProblem') => string,
): string {
  if (caCredentialName !== '') return want(caCredentialName, 'caProblem')
  const own = state.credentials.get(namespace, first)
  if (own !== undefined && own.caProblem === undefined) return credentialName(namespace, first)
  return want(`${first}${CLIENT_CA_SUFFIX}`, 'caProblem')
}

/** A name with a slash would be one of another namespace. */
function isSecretName(name: string): boolean {
  return /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name)
}
