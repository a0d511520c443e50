import { createPrivateKey, generateKeyPairSync, type KeyObject, type X509Certificate } from 'node:crypto'
import { formatSpiffeId, ipToBytes, messageOf, parseIp, type SpiffeId } from '@ambit/core'
import { subjectNameDer } from './certificate-fields.ts'
import { readCsr } from './csr.ts'
import { DEFAULT_WORKLOAD_TTL_SECONDS, MAX_WORKLOAD_TTL_SECONDS, NOT_BEFORE_SKEW_MS, ROOT_TTL_MS } from './defaults.ts'
import { CaMaterialError, CsrRefusedError, TtlTooLongError } from './errors.ts'
import {
  type Issuer,
  issueCa,
  issueLeaf,
  issueLeafInPool,
  keyIdOf,
  type LeafRequest,
  organizationName,
  subjectKeyIdOf,
  type Validity,
} from './issue-certificate.ts'
import { certificatesOfPem, pemOfCertificates, toPem } from './pem.ts'
import { algorithmOfKey } from './signature-algorithm.ts'
import type { SubjectName } from './subject-alt-name.ts'

export interface SelfSignedOptions {
  readonly trustDomain: string
  /** Organization in the root's name; the trust domain unless given (Istio). */
  readonly org?: string | undefined
  readonly ttlMs?: number | undefined
  readonly now?: number | undefined
}

export interface SelfSigned {
  readonly ca: CertificateAuthority
  readonly caCertPem: string
  readonly caKeyPem: string
}

/** The files of Istio's `cacerts` secret, or of `istio-ca-secret` when only the first two are given. */
export interface CaMaterial {
  readonly caCertPem: string
  readonly caKeyPem: string
  /** From the signing certificate up, the root included or not. */
  readonly certChainPem?: string | undefined
  /** Roots for verifiers, possibly several; the signing certificate itself unless given. */
  readonly rootCertPem?: string | undefined
}

export interface CaPolicy {
  readonly defaultTtlSeconds: number
  readonly maxTtlSeconds: number
}

export interface SignRequest {
  readonly csrPem: string
  /** Who is certified. What the request itself asks for is not looked at. */
  readonly identity: SpiffeId
  readonly ttlSeconds: number
  readonly now?: number | undefined
}

export interface ServerCertificate {
  readonly certPem: string
  readonly keyPem: string
  /** Leaf, then intermediates. */
  readonly chainPem: string
}

/** Signs workload certificates. The private key stays in here. */
export class CertificateAuthority {
  readonly #issuer: Issuer
  readonly #intermediatesPem: readonly string[]
  readonly #policy: CaPolicy
  /** Trust bundle of everything signed here. */
  readonly rootsPem: string
  /** Nothing signed here lives longer: the earliest end among the signing certificate and its intermediates. */
  readonly notAfterMs: number

  private constructor(
    issuer: Issuer,
    intermediates: readonly X509Certificate[],
    roots: readonly X509Certificate[],
    notAfterMs: number,
    policy: CaPolicy,
  ) {
    this.#issuer = issuer
    this.#intermediatesPem = intermediates.map((certificate) => toPem('CERTIFICATE', certificate.raw))
    this.#policy = policy
    this.rootsPem = pemOfCertificates(roots)
    this.notAfterMs = notAfterMs
  }

  static createSelfSigned(options: SelfSignedOptions): SelfSigned {
    const now = options.now ?? Date.now()
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const nameDer = organizationName(options.org ?? options.trustDomain)
    const validity = { notBeforeMs: now - NOT_BEFORE_SKEW_MS, notAfterMs: now + (options.ttlMs ?? ROOT_TTL_MS) }
    const der = issueCa({ key: privateKey, nameDer, keyId: keyIdOf(publicKey) }, { publicKey, nameDer, validity })
    const caCertPem = toPem('CERTIFICATE', der)
    const caKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' })
    return { ca: CertificateAuthority.load({ caCertPem, caKeyPem }), caCertPem, caKeyPem }
  }

  static load(material: CaMaterial, policy: Partial<CaPolicy> = {}): CertificateAuthority {
    const [signing] = certificatesOfPem(material.caCertPem, 'ca-cert.pem')
    if (signing === undefined) throw new CaMaterialError('ca-cert.pem holds no certificate')
    if (!signing.ca)
      throw new CaMaterialError('ca-cert.pem is not a CA certificate: basic constraints do not say CA:TRUE')
    const key = readCaKey(material.caKeyPem)
    if (!signing.checkPrivateKey(key)) throw new CaMaterialError('ca-key.pem is not the key of ca-cert.pem')
    const roots = certificatesOfPem(material.rootCertPem ?? material.caCertPem, 'root-cert.pem')
    const chain = certificatesOfPem(material.certChainPem ?? '', 'cert-chain.pem')
    const intermediates = pathToRoot(signing, chain, roots)
    const nameDer = subjectNameDer(signing.raw)
    if (nameDer === undefined) throw new CaMaterialError('ca-cert.pem has no readable subject')
    return new CertificateAuthority(
      { key, nameDer, keyId: subjectKeyIdOf(signing.raw) },
      intermediates,
      roots,
      Math.min(...[signing, ...intermediates].map((certificate) => certificate.validToDate.getTime())),
      { defaultTtlSeconds: DEFAULT_WORKLOAD_TTL_SECONDS, maxTtlSeconds: MAX_WORKLOAD_TTL_SECONDS, ...policy },
    )
  }

  /** PEM texts as the CA protocol orders them: leaf, intermediates, and last the root bundle. */
  sign(request: SignRequest): readonly string[] {
    return this.#chainOf(issueLeaf(this.#issuer, this.#leafOf(request)))
  }

  /** The same, signed by a thread of the pool while others are served. */
  async signInPool(request: SignRequest): Promise<readonly string[]> {
    return this.#chainOf(await issueLeafInPool(this.#issuer, this.#leafOf(request)))
  }

  #leafOf({ csrPem, identity, ttlSeconds, now = Date.now() }: SignRequest): LeafRequest {
    const csr = readCsr(csrPem)
    if (!csr.accepted) throw new CsrRefusedError(`certificate request refused: ${csr.reason}`)
    return {
      spki: csr.spki,
      names: [{ kind: 'uri', value: formatSpiffeId(identity) }],
      validity: this.#validity(this.#ttlMs(ttlSeconds), now),
    }
  }

  #chainOf(leaf: Buffer): readonly string[] {
    return [toPem('CERTIFICATE', leaf), ...this.#intermediatesPem, this.rootsPem]
  }

  /** A serving certificate with a key of its own, for the controller. */
  signServer(options: {
    readonly dnsNames: readonly string[]
    readonly ttlMs: number
    readonly now?: number | undefined
  }): ServerCertificate {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const der = issueLeaf(this.#issuer, {
      spki: publicKey.export({ type: 'spki', format: 'der' }),
      names: options.dnsNames.map(serverName),
      validity: this.#validity(options.ttlMs, options.now ?? Date.now()),
    })
    const certPem = toPem('CERTIFICATE', der)
    const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' })
    return { certPem, keyPem, chainPem: [certPem, ...this.#intermediatesPem].join('') }
  }

  #ttlMs(requestedSeconds: number): number {
    const seconds = requestedSeconds > 0 ? requestedSeconds : this.#policy.defaultTtlSeconds
    if (seconds <= this.#policy.maxTtlSeconds) return seconds * 1000
    throw new TtlTooLongError(
      `requested certificate life of ${seconds} s is above the maximum of ${this.#policy.maxTtlSeconds} s: lower SECRET_TTL of the requester or raise MAX_WORKLOAD_CERT_TTL`,
    )
  }

  #validity(ttlMs: number, now: number): Validity {
    if (this.notAfterMs <= now) {
      throw new CaMaterialError(
        `the CA certificate expired at ${new Date(this.notAfterMs).toISOString()}: nothing can be signed until it is replaced`,
      )
    }
    return { notBeforeMs: now - NOT_BEFORE_SKEW_MS, notAfterMs: Math.min(now + ttlMs, this.notAfterMs) }
  }
}

function readCaKey(pem: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (error) {
    // The parser's error is not kept as a cause: it must never carry a part of the text.
    throw new CaMaterialError(
      `ca-key.pem cannot be read as an unencrypted private key: ${messageOf(error).slice(0, 100)}`,
    )
  }
  if (algorithmOfKey(key) === undefined)
    throw new CaMaterialError(`ca-key.pem: keys of type ${key.asymmetricKeyType} are not supported`)
  return key
}

/** Certificates between the leaf and the root, which verifiers do not have: the signing one first, the root left out. */
function pathToRoot(
  signing: X509Certificate,
  chain: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): readonly X509Certificate[] {
  const path: X509Certificate[] = []
  let current = signing
  while (!roots.some((root) => root.fingerprint256 === current.fingerprint256)) {
    path.push(current)
    const at = current
    if (roots.some((root) => issued(root, at))) return path
    const next = chain.find(
      (candidate) =>
        issued(candidate, at) && !path.includes(candidate) && candidate.fingerprint256 !== at.fingerprint256,
    )
    if (next === undefined) {
      throw new CaMaterialError(
        'ca-cert.pem does not lead to root-cert.pem: check that cert-chain.pem holds every intermediate certificate',
      )
    }
    current = next
  }
  return path
}

function issued(issuer: X509Certificate, subject: X509Certificate): boolean {
  return subject.checkIssued(issuer) && subject.verify(issuer.publicKey)
}

function serverName(name: string): SubjectName {
  const address = parseIp(name)
  return address === undefined ? { kind: 'dns', value: name } : { kind: 'ip', value: ipToBytes(address) }
}
