import { type CaMaterial, CertificateAuthority } from '@ambit/identity'
import { ensureObject, KINDS, type KubeClient, type KubeObject } from '@ambit/kube'
import { CaSetupError } from '../errors.ts'

/** Name and type of the Secret that holds a self-signed CA (Istio). */
export const CA_SECRET_NAME = 'istio-ca-secret'
const CA_SECRET_TYPE = 'istio.io/ca-root'

interface Secret extends KubeObject {
  readonly type?: string
  readonly data?: Readonly<Record<string, string>>
}

/** The cluster's own CA: the one in the Secret; the first replica to come makes it, all others load what it made. */
export async function loadOrCreateSelfSignedCa(
  client: Pick<KubeClient, 'get' | 'create' | 'update'>,
  options: { readonly namespace: string; readonly trustDomain: string },
): Promise<CaMaterial> {
  const at = { namespace: options.namespace, name: CA_SECRET_NAME }
  const present = await client.get<Secret>(KINDS.secret, at)
  if (present !== undefined) return materialOf(present)
  const made = CertificateAuthority.createSelfSigned({ trustDomain: options.trustDomain })
  const wanted: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: at,
    type: CA_SECRET_TYPE,
    data: { 'ca-cert.pem': encode(made.caCertPem), 'ca-key.pem': encode(made.caKeyPem) },
  }
  // What another replica made meanwhile wins; a key in the cluster is never replaced.
  return materialOf(await ensureObject(client, KINDS.secret, wanted, () => undefined))
}

function materialOf(secret: Secret): CaMaterial {
  const field = (name: string): string | undefined => {
    const value = secret.data?.[name]
    return value ? Buffer.from(value, 'base64').toString('utf8') : undefined
  }
  const caCertPem = field('ca-cert.pem')
  const caKeyPem = field('ca-key.pem')
  if (caCertPem === undefined || caKeyPem === undefined) {
    throw new CaSetupError(
      `secret ${secret.metadata.namespace}/${CA_SECRET_NAME} lacks ca-cert.pem or ca-key.pem: restore it from a backup, or delete it to have a new root made (every workload must then reconnect)`,
    )
  }
  return { caCertPem, caKeyPem, rootCertPem: field('root-cert.pem'), certChainPem: field('cert-chain.pem') }
}

function encode(pem: string): string {
  return Buffer.from(pem, 'utf8').toString('base64')
}
