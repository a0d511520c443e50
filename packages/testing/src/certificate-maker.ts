import { DEFAULT_TRUST_DOMAIN, type SpiffeId } from '@ambit/core'
import {
  type CaClient,
  CertificateAuthority,
  createCsr,
  type ServerCertificate,
  type WorkloadCertificate,
  workloadCertificate,
} from '@ambit/identity'

const HOUR_MS = 3_600_000

/** A certificate authority of a test, with workload and server certificates on demand. */
export class CertificateMaker {
  readonly ca: CertificateAuthority
  readonly trustDomain: string

  constructor(trustDomain: string = DEFAULT_TRUST_DOMAIN) {
    this.trustDomain = trustDomain
    this.ca = CertificateAuthority.createSelfSigned({ trustDomain }).ca
  }

  get rootsPem(): string {
    return this.ca.rootsPem
  }

  identity(namespace: string, serviceAccount: string): SpiffeId {
    return { trustDomain: this.trustDomain, namespace, serviceAccount }
  }

  workload(identity: SpiffeId, ttlMs: number = HOUR_MS): WorkloadCertificate {
    const { privateKey, csrPem } = createCsr(identity)
    const certChain = this.ca.sign({ csrPem, identity, ttlSeconds: ttlMs / 1000 })
    return workloadCertificate({ identity, privateKey, certChain, now: Date.now() })
  }

  server(dnsNames: readonly string[] = ['localhost', '127.0.0.1']): ServerCertificate {
    return this.ca.signServer({ dnsNames, ttlMs: HOUR_MS })
  }

  /** Signs in process, without a network. */
  client(): CaClient {
    return {
      createCertificate: ({ csrPem, identity, ttlSeconds }) =>
        Promise.resolve(this.ca.sign({ csrPem, identity, ttlSeconds })),
    }
  }
}
