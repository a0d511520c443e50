import { createPrivateKey, X509Certificate } from 'node:crypto'
import { messageOf } from '@ambit/core'
import type { KubeObject } from '@ambit/kube'
import type { Credential } from '../ingress.types.ts'
import { MAX_CREDENTIAL_BYTES } from '../limits.ts'
import { type Json, record, text } from './json.ts'

const NOTHING = new Uint8Array()
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Keys of the Secret, in order of preference: Kubernetes' type `kubernetes.io/tls`, then Istio's generic ones. */
const CERTIFICATE_KEYS = ['tls.crt', 'cert'] as const
const KEY_KEYS = ['tls.key', 'key'] as const
const CA_KEYS = ['ca.crt', 'cacert'] as const

/** What a listener can use of a Secret. What can't be used is no part of it, so that it goes no further. */
export function decodeCredential(object: KubeObject): Credential {
  const data = record((object as { readonly data?: unknown }).data)
  const certificateChainPem = valueOf(data, CERTIFICATE_KEYS)
  const privateKeyPem = valueOf(data, KEY_KEYS)
  const caPem = valueOf(data, CA_KEYS)
  const certificateProblem = problemOfPair(certificateChainPem, privateKeyPem)
  const caProblem = problemOfChain(caPem, CA_KEYS[0])
  const usable = certificateProblem === undefined
  return {
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name,
    found: true,
    certificateChainPem: usable ? certificateChainPem : NOTHING,
    privateKeyPem: usable ? privateKeyPem : NOTHING,
    caPem: caProblem === undefined ? caPem : NOTHING,
    certificateProblem,
    caProblem,
  }
}

/** Stands for a Secret that is not there, or not for us. */
export function missingCredential(namespace: string, name: string, why: string): Credential {
  const problem = `secret ${namespace}/${name} ${why}`
  return {
    namespace,
    name,
    found: false,
    certificateChainPem: NOTHING,
    privateKeyPem: NOTHING,
    caPem: NOTHING,
    certificateProblem: problem,
    caProblem: problem,
  }
}

function valueOf(data: Json, keys: readonly string[]): Uint8Array {
  for (const key of keys) {
    const value = text(data[key])
    if (value !== undefined && value !== '') return Buffer.from(value, 'base64')
  }
  return NOTHING
}

function problemOfPair(chain: Uint8Array, key: Uint8Array): string | undefined {
  if (chain.length === 0 || key.length === 0) return 'it has no certificate and key: expected tls.crt and tls.key'
  const problem = problemOfChain(chain, CERTIFICATE_KEYS[0])
  if (problem !== undefined) return problem
  if (key.length > MAX_CREDENTIAL_BYTES) return `tls.key is above ${MAX_CREDENTIAL_BYTES} bytes`
  try {
    const leaf = new X509Certificate(Buffer.from(chain))
    if (!leaf.checkPrivateKey(createPrivateKey(Buffer.from(key)))) return 'the key is not that of the certificate'
  } catch {
    // What OpenSSL says may quote what it read.
    return 'the key is malformed'
  }
  return undefined
}

function problemOfChain(pem: Uint8Array, key: string): string | undefined {
  if (pem.length === 0) return `it has no ${key}`
  if (pem.length > MAX_CREDENTIAL_BYTES) return `${key} is above ${MAX_CREDENTIAL_BYTES} bytes`
  const blocks = Buffer.from(pem).toString('latin1').match(PEM_CERTIFICATE) ?? []
  if (blocks.length === 0) return `${key} is malformed: no certificate in PEM was found`
  try {
    blocks.map((block) => new X509Certificate(block))
  } catch (error) {
    return `${key} is malformed: ${messageOf(error)}`
  }
  return undefined
}
