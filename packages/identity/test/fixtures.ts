import { generateKeyPairSync } from 'node:crypto'
import type { LogFields, Logger, SpiffeId } from '@ambit/core'
import { issueCa, keyIdOf, organizationName } from '../src/issue-certificate.ts'
import { toPem } from '../src/pem.ts'

export const ALICE: SpiffeId = { trustDomain: 'cluster.local', namespace: 'shop', serviceAccount: 'alice' }
export const BOB: SpiffeId = { trustDomain: 'cluster.local', namespace: 'shop', serviceAccount: 'bob' }

/** A logger that keeps everything as text. */
export class TextLogger implements Logger {
  readonly lines: string[] = []

  error(message: string, fields?: LogFields): void {
    this.lines.push(`${message} ${JSON.stringify(fields)}`)
  }
  warn = this.error.bind(this)
  info = this.error.bind(this)
  debug = this.error.bind(this)
  trace = this.error.bind(this)

  enabled(): boolean {
    return true
  }

  scope(): Logger {
    return this
  }
}

/** A root with an intermediate, RSA or EC, as an organisation would plug them in. */
export function organisationCa(kind: 'rsa' | 'ec' | 'p384'): {
  rootPem: string
  intermediatePem: string
  intermediateKeyPem: string
} {
  const make = () =>
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: kind === 'ec' ? 'P-256' : 'P-384' })
  const root = make()
  const intermediate = make()
  const rootName = organizationName('Root of Acme')
  const validity = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 86_400_000 * 365 }
  const issuer = { key: root.privateKey, nameDer: rootName, keyId: keyIdOf(root.publicKey) }
  return {
    rootPem: toPem('CERTIFICATE', issueCa(issuer, { publicKey: root.publicKey, nameDer: rootName, validity })),
    intermediatePem: toPem(
      'CERTIFICATE',
      issueCa(issuer, { publicKey: intermediate.publicKey, nameDer: organizationName('Mesh CA of Acme'), validity }),
    ),
    // The traditional encodings, as openssl genrsa and ecparam write them.
    intermediateKeyPem: intermediate.privateKey.export({ type: kind === 'rsa' ? 'pkcs1' : 'sec1', format: 'pem' }),
  }
}
