import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { type ClusterPki, createClusterPki } from '../pki/cluster-pki.ts'

/** Where keys are kept; absent: they end with the sandbox. */
export interface Facts {
  fact(name: string): string | undefined
  setFact(name: string, value: string): void
}

export interface ClusterKeys {
  readonly pki: ClusterPki
  /** Signs service accounts' tokens. */
  readonly tokenKeyPem: string
}

/** Certificates with less left are made anew, and with them every kubeconfig. */
const RENEW_BEFORE_MS = 30 * 24 * 3600 * 1000

/** The cluster's keys and certificates, the kept ones as long as they last. */
export function clusterKeys(
  facts: Facts | undefined,
  o: { readonly names: readonly string[]; readonly nowMs: number },
): ClusterKeys {
  const kept = facts?.fact('keys')
  if (kept !== undefined) {
    const keys = JSON.parse(kept) as ClusterKeys
    const names = new X509Certificate(keys.pki.server.certPem)
    if (names.validToDate.getTime() - o.nowMs > RENEW_BEFORE_MS) return keys
  }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keys: ClusterKeys = {
    pki: createClusterPki(o),
    tokenKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  }
  facts?.setFact('keys', JSON.stringify(keys))
  return keys
}
