import { createHash, type X509Certificate } from 'node:crypto'
import { formatSpiffeId } from '@ambit/core'
import type { CertificateState } from '@ambit/identity'
import type { Config } from './config.types.ts'
import type { ListenerTlsState } from './gateway/gateway.ts'
import type { Stores } from './xds-state.ts'

export interface DumpSources extends Stores {
  readonly certificates: () => readonly CertificateState[]
  readonly listeners: readonly ListenerTlsState[]
  readonly config: Config
  readonly version: string
}

/** The state of the proxy, for people and `ambit`. Holds no private key and no token. */
export function configDump(sources: DumpSources): object {
  const { workloads, destinations, policies, trafficPolicies, credentials, certificates, listeners, config, version } =
    sources
  return {
    version: { version, nodeVersion: process.version, istioVersion: config.version },
    config: withoutSecrets(config),
    settings: plain(destinations.settings ?? null),
    destinations: [...destinations.destinations()].map((destination) => plain(destination)),
    policies: [...policies.policies()].map((policy) => plain(policy)),
    trafficPolicies: [...trafficPolicies.policies()].map(([name, policy]) => ({
      name,
      members: Object.fromEntries(
        [...policy.subsets.keys()].map((subset) => [
          subset,
          [...trafficPolicies.members(`${name}/${subset}`)].toSorted(),
        ]),
      ),
      ...(plain(policy) as object),
    })),
    workloads: [...workloads.workloads()].length,
    services: [...workloads.services()].map(({ namespace, hostname }) => `${namespace}/${hostname}`).toSorted(),
    certificates: certificates().map(dumpCertificate),
    credentials: [...credentials.names()].toSorted(),
    listenerCertificates: listeners.map(dumpListener),
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

function dumpListener({ listener, problem, identities }: ListenerTlsState): object {
  return {
    listener,
    ...(problem !== undefined && { problem }),
    certificates: identities.map(({ credential, certificate }) => ({
      credential,
      subjectAltNames: certificate.subjectAltName ?? '',
      serialNumber: BigInt(`0x${certificate.serialNumber}`).toString(),
      validFrom: new Date(certificate.validFrom).toISOString(),
      expirationTime: new Date(certificate.validTo).toISOString(),
    })),
  }
}

function dumpX509(certificate: X509Certificate): object {
  return {
    pem: Buffer.from(certificate.toString()).toString('base64'),
    serialNumber: BigInt(`0x${certificate.serialNumber}`).toString(),
    validFrom: new Date(certificate.validFrom).toISOString(),
    expirationTime: new Date(certificate.validTo).toISOString(),
  }
}

/** Maps as objects: JSON would show them empty. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, each: unknown) => {
      if (each instanceof Map) return Object.fromEntries(each)
      return each instanceof RegExp ? each.source : each
    }),
  ) as unknown
}

function withoutSecrets(config: Config): unknown {
  return JSON.parse(
    JSON.stringify(config, (key, value: unknown) =>
      (key === 'token' || key === 'pem') && typeof value === 'string'
        ? `sha256:${createHash('sha256').update(value).digest('hex')}`
        : value,
    ),
  ) as unknown
}
