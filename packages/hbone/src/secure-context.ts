import { constants } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { formatSpiffeId } from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import { CIPHER_SUITES, KEY_EXCHANGE_GROUPS, type KeyExchangeGroup } from './defaults.ts'
import { HboneTlsError } from './errors.ts'

/** Exactly one protocol, both roles (Istio). */
export const ALPN: string[] = ['h2']

/** TLS 1.3 only, with this certificate to show and its trust bundle to verify with. */
export function secureContextOptions(
  certificate: WorkloadCertificate,
  groups: readonly KeyExchangeGroup[] = KEY_EXCHANGE_GROUPS,
): SecureContextOptions {
  // Without this Node would trust the system's public roots instead.
  if (certificate.roots.length === 0) {
    throw new HboneTlsError(
      `no root certificates came with the certificate of ${formatSpiffeId(certificate.identity)}: no peer can be verified`,
    )
  }
  return {
    cert: certificate.chainPem,
    key: certificate.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ca: certificate.rootsPem,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: CIPHER_SUITES,
    ecdhCurve: groups.join(':'),
    honorCipherOrder: true,
    // No resumption: every connection proves its identity with a certificate that is valid now.
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

/** Contexts by certificate: building one costs more than a handshake's worth of parsing, and ends with the certificate. */
export class SecureContextCache {
  readonly #contexts = new WeakMap<WorkloadCertificate, SecureContext>()
  readonly #groups: readonly KeyExchangeGroup[] | undefined

  constructor(groups: readonly KeyExchangeGroup[] | undefined) {
    this.#groups = groups
  }

  get(certificate: WorkloadCertificate): SecureContext {
    const known = this.#contexts.get(certificate)
    if (known !== undefined) return known
    const context = createSecureContext(secureContextOptions(certificate, this.#groups))
    this.#contexts.set(certificate, context)
    return context
  }
}
