import type { X509Certificate } from 'node:crypto'
import { createHash } from 'node:crypto'
import { formatSpiffeId } from '@ambit/core'
import type { CertificateState } from '@ambit/identity'
import { dumpState, type PolicyStore, type WorkloadStore } from '@ambit/state'
import type { Config } from './config.types.ts'

export interface DumpSources {
  readonly store: WorkloadStore
  readonly policies: PolicyStore
  readonly certificates: () => readonly CertificateState[]
  readonly workloadState: () => object
  readonly config: Config
  readonly staticConfig: unknown
  readonly dataPath: string
  readonly version: string
}

/** The state of the proxy in the shape `istioctl ztunnel-config` reads. Holds no private key and no token. */
export function configDump(sources: DumpSources): object {
  const { store, policies, config } = sources
  return {
    ...dumpState(store, policies),
    staticConfig: sources.staticConfig ?? {},
    dataPath: sources.dataPath,
    version: {
      version: sources.version,
      gitRevision: 'unknown',
      rustVersion: 'none',
      nodeVersion: process.version,
      buildProfile: 'release',
      buildStatus: 'Clean',
      istioVersion: config.version,
      cryptoProvider: `openssl ${process.versions.openssl}`,
    },
    config: dumpConfig(config),
    certificates: sources.certificates().map(dumpCertificate),
    workloadState: sources.workloadState(),
  }
}

function dumpCertificate({ identity, state, certificate }: CertificateState): object {
  return {
    identity: formatSpiffeId(identity),
    state,
    certChain: (certificate?.chain ?? []).map(dumpX509),
    rootCerts: (certificate?.roots ?? []).map(dumpX509),
  }
}

function dumpX509(certificate: X509Certificate): object {
  const pem = certificate.toString()
  return {
    pem: Buffer.from(pem).toString('base64'),
    serialNumber: BigInt(`0x${certificate.serialNumber}`).toString(),
    validFrom: new Date(certificate.validFrom).toISOString(),
    expirationTime: new Date(certificate.validTo).toISOString(),
  }
}

/**
 * The configuration without anything that lets its reader act as this proxy: tokens and PEM given literally are hashed, and
 * so is what is sent to the control plane in headers of the operator's.
 */
function dumpConfig(config: Config): unknown {
  return JSON.parse(
    JSON.stringify(config, (key, value: unknown) => {
      if ((key === 'token' || key === 'pem') && typeof value === 'string') return digestOf(value)
      if (key !== 'headers' || typeof value !== 'object' || value === null) return value
      return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, digestOf(String(text))]))
    }),
  ) as unknown
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}
