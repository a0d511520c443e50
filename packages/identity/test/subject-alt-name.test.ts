import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { formatSpiffeId } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import { issueLeaf, organizationName } from '../src/issue-certificate.ts'
import { identitiesOfCertificate, identityOfCertificate, type SubjectName, uriNames } from '../src/subject-alt-name.ts'
import { ALICE, BOB } from './fixtures.ts'

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })

function certificate(...names: readonly SubjectName[]): X509Certificate {
  const issuer = { key: keys.privateKey, nameDer: organizationName('test'), keyId: undefined }
  const validity = { notBeforeMs: Date.now(), notAfterMs: Date.now() + 60_000 }
  return new X509Certificate(
    issueLeaf(issuer, { spki: keys.publicKey.export({ type: 'spki', format: 'der' }), names, validity }),
  )
}

const uri = (value: string): SubjectName => ({ kind: 'uri', value })
const dns = (value: string): SubjectName => ({ kind: 'dns', value })

test('the first name that is an identity counts, others are skipped', (t) => {
  const cert = certificate(
    uri('https://example.com/'),
    uri('spiffe://cluster.local/short'),
    uri(formatSpiffeId(BOB)),
    uri(formatSpiffeId(ALICE)),
  )
  t.deepEqual(identityOfCertificate(cert), BOB)
  t.deepEqual(identitiesOfCertificate(cert), [BOB, ALICE])
})

for (const [name, value] of [
  ['a DNS name that spells an identity', dns(formatSpiffeId(ALICE))],
  ['a DNS name that imitates the textual form', dns(`x, URI:${formatSpiffeId(ALICE)}`)],
  ['a URI that holds a second one', uri(`https://x/, URI:${formatSpiffeId(ALICE)}`)],
  ['a quoted URI', uri(`"${formatSpiffeId(ALICE)}"`)],
  ['an identity with a zero byte', uri(`${formatSpiffeId(ALICE)}\0.evil`)],
  ['an identity after a blank', uri(` ${formatSpiffeId(ALICE)}`)],
] as const) {
  test(`${name} gives no identity`, (t) => {
    t.is(identityOfCertificate(certificate(value)), undefined)
  })
}

test('a certificate without names has no identity', (t) => {
  t.is(identityOfCertificate(certificate()), undefined)
})

test('names are read as they were written', (t) => {
  const name = fc.stringMatching(/^[\x21-\x7e]{1,60}$/)
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), (names) => {
      t.deepEqual(uriNames(certificate(...names.map(uri)).raw), names)
    }),
    { numRuns: 30 },
  )
})

test('damaged certificates never throw', (t) => {
  const { raw } = certificate(uri(formatSpiffeId(ALICE)))
  fc.assert(
    fc.property(fc.nat(raw.length - 1), fc.nat(255), fc.nat(raw.length), (at, value, length) => {
      const changed = Buffer.from(raw)
      changed[at] = value
      uriNames(changed)
      uriNames(changed.subarray(0, length))
    }),
    { numRuns: 1000 },
  )
  t.pass()
})
