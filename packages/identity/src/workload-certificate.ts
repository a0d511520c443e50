import type { KeyObject, X509Certificate } from 'node:crypto'
import { formatSpiffeId, type SpiffeId, sameSpiffeId } from '@ambit/core'
import { CaAnswerError } from './errors.ts'
import { MAX_CHAIN_ELEMENTS } from './limits.ts'
import { certificatesOfPem, pemOfCertificates } from './pem.ts'
import { identityOfCertificate } from './subject-alt-name.ts'

/** What a workload proves itself with and whom it believes. The key is held as a KeyObject, which prints and serializes empty. */
export interface WorkloadCertificate {
  readonly identity: SpiffeId
  /** Leaf, then intermediates. */
  readonly chainPem: string
  readonly rootsPem: string
  readonly privateKey: KeyObject
  readonly leaf: X509Certificate
  readonly chain: readonly X509Certificate[]
  readonly roots: readonly X509Certificate[]
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** Decimal. */
  readonly serialNumber: string
}

export interface CaAnswer {
  readonly identity: SpiffeId
  readonly privateKey: KeyObject
  /** `cert_chain` of the CA protocol: leaf, intermediates, and last the root bundle. */
  readonly certChain: readonly string[]
  readonly now: number
}

/** Turns the CA's answer into a certificate to serve with, or throws {@link CaAnswerError} saying what is wrong with it. */
export function workloadCertificate(answer: CaAnswer): WorkloadCertificate {
  const { identity, privateKey, certChain } = answer
  if (certChain.length === 0) throw new CaAnswerError('the CA answered with an empty certificate chain')
  if (certChain.length > MAX_CHAIN_ELEMENTS)
    throw new CaAnswerError(`the CA answered with more than ${MAX_CHAIN_ELEMENTS} chain elements`)
  const rootBundle = certChain.length > 1 ? certChain.at(-1) : undefined
  const chain = certificatesOfPem(
    certChain.slice(0, rootBundle === undefined ? 1 : -1).join('\n'),
    'certificate chain of the CA',
  )
  const roots = certificatesOfPem(rootBundle ?? '', 'root bundle of the CA')
  const [leaf] = chain
  if (leaf === undefined) throw new CaAnswerError('the CA answered without a leaf certificate')
  const certified = identityOfCertificate(leaf)
  if (certified === undefined || !sameSpiffeId(certified, identity)) {
    const other = certified === undefined ? 'no identity' : formatSpiffeId(certified)
    throw new CaAnswerError(`the CA certified ${other} instead of ${formatSpiffeId(identity)}`)
  }
  if (!leaf.checkPrivateKey(privateKey)) throw new CaAnswerError('the CA certified another key than the requested one')
  const notAfterMs = leaf.validToDate.getTime()
  if (notAfterMs <= answer.now) {
    throw new CaAnswerError(
      `the CA answered with a certificate that expired at ${leaf.validToDate.toISOString()}: compare the clocks of both machines`,
    )
  }
  return {
    identity,
    chainPem: pemOfCertificates(chain),
    rootsPem: pemOfCertificates(roots),
    privateKey,
    leaf,
    chain,
    roots,
    notBeforeMs: leaf.validFromDate.getTime(),
    notAfterMs,
    serialNumber: BigInt(`0x${leaf.serialNumber}`).toString(),
  }
}
