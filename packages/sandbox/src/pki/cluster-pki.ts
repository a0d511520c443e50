import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { ipToBytes, parseIp } from '@ambit/core'
import { bits, boolean, integer, octets, oid, sequence, set, tlv, utcTime, utf8 } from './der.ts'

const OID = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  subjectKeyId: '2.5.29.14',
  authorityKeyId: '2.5.29.35',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

/** A try-out cluster; nobody renews it. */
const LIFETIME_MS = 365 * 24 * 3600 * 1000
const BACKDATE_MS = 5 * 60 * 1000

export interface KeyAndCertificate {
  readonly certPem: string
  readonly keyPem: string
}

export interface ClusterPki {
  readonly caPem: string
  readonly server: KeyAndCertificate
  /** Client certificate in the group that may do everything. */
  readonly admin: KeyAndCertificate
}

interface Names {
  readonly commonName: string
  readonly organization?: string | undefined
}

interface Issuer {
  readonly names: Names
  readonly key: KeyObject
  readonly keyId: Buffer
}

/** Makes the API server's authority, its serving certificate for the given names and addresses, and the operator's. */
export function createClusterPki(o: { readonly names: readonly string[]; readonly nowMs: number }): ClusterPki {
  const caKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const names: Names = { commonName: 'ambit-sandbox-ca' }
  const issuer: Issuer = { names, key: caKeys.privateKey, keyId: keyIdOf(caKeys.publicKey) }
  const caPem = certificate({
    subject: names,
    publicKey: caKeys.publicKey,
    issuer,
    nowMs: o.nowMs,
    extensions: [
      extension(OID.basicConstraints, true, sequence(boolean(true))),
      extension(OID.keyUsage, true, bits(Buffer.from([0x06]), 1)),
    ],
  })
  const leaf = (subject: Names, usage: string, more: readonly Buffer[]): KeyAndCertificate => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const extensions = [
      extension(OID.keyUsage, true, bits(Buffer.from([0x80]), 7)),
      extension(OID.extendedKeyUsage, false, sequence(oid(usage))),
      ...more,
    ]
    const certPem = certificate({ subject, publicKey: keys.publicKey, issuer, nowMs: o.nowMs, extensions })
    return { certPem, keyPem: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) }
  }
  const altNames = sequence(...o.names.map(altName))
  return {
    caPem,
    server: leaf({ commonName: 'kube-apiserver' }, OID.serverAuth, [extension(OID.subjectAltName, false, altNames)]),
    admin: leaf({ commonName: 'kubernetes-admin', organization: 'system:masters' }, OID.clientAuth, []),
  }
}

function altName(name: string): Buffer {
  const address = parseIp(name)
  return address === undefined ? tlv(0x82, Buffer.from(name)) : tlv(0x87, ipToBytes(address))
}

function certificate(o: {
  readonly subject: Names
  readonly publicKey: KeyObject
  readonly issuer: Issuer
  readonly nowMs: number
  readonly extensions: readonly Buffer[]
}): string {
  const algorithm = sequence(oid(OID.ecdsaWithSha256))
  const serial = randomBytes(16)
  // Positive and without leading zero, as DER wants it.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const keyIds = [
    extension(OID.subjectKeyId, false, octets(keyIdOf(o.publicKey))),
    extension(OID.authorityKeyId, false, sequence(tlv(0x80, o.issuer.keyId))),
  ]
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    distinguishedName(o.issuer.names),
    sequence(utcTime(new Date(o.nowMs - BACKDATE_MS)), utcTime(new Date(o.nowMs + LIFETIME_MS))),
    distinguishedName(o.subject),
    o.publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...o.extensions, ...keyIds)),
  )
  const signature = sign('sha256', body, o.issuer.key)
  const der = sequence(body, algorithm, bits(signature))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function distinguishedName(names: Names): Buffer {
  const part = (type: string, value: string): Buffer => set(sequence(oid(type), utf8(value)))
  const organization = names.organization === undefined ? [] : [part(OID.organization, names.organization)]
  return sequence(...organization, part(OID.commonName, names.commonName))
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return critical ? sequence(oid(id), boolean(true), octets(value)) : sequence(oid(id), octets(value))
}

function keyIdOf(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
}
