import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { formatSpiffeId } from '@ambit/core'
import test from 'ava'
import { issueLeaf, organizationName } from '../src/issue-certificate.ts'
import {
  MAX_CERTIFICATE_BYTES,
  MAX_CHAIN_ELEMENTS,
  MAX_PEM_BUNDLE_BYTES,
  MAX_PEM_CERTIFICATES,
  MAX_SUBJECT_ALT_NAMES,
} from '../src/limits.ts'
import { certificatesOfPem, toPem } from '../src/pem.ts'
import { identityOfCertificate, type SubjectName } from '../src/subject-alt-name.ts'
import { workloadCertificate } from '../src/workload-certificate.ts'
import { ALICE } from './fixtures.ts'

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })

function certificate(names: readonly SubjectName[]): X509Certificate {
  const issuer = { key: keys.privateKey, nameDer: organizationName('test'), keyId: undefined }
  const validity = { notBeforeMs: Date.now(), notAfterMs: Date.now() + 60_000 }
  return new X509Certificate(
    issueLeaf(issuer, { spki: keys.publicKey.export({ type: 'spki', format: 'der' }), names, validity }),
  )
}

const identity: SubjectName = { kind: 'uri', value: formatSpiffeId(ALICE) }
const others = (count: number): SubjectName[] =>
  Array.from({ length: count }, (_, index) => ({ kind: 'dns', value: `n${index}` }))

test('a certificate with more names than the limit has no identity', (t) => {
  t.deepEqual(identityOfCertificate(certificate([identity, ...others(MAX_SUBJECT_ALT_NAMES - 1)])), ALICE)
  t.is(identityOfCertificate(certificate([identity, ...others(MAX_SUBJECT_ALT_NAMES)])), undefined)
})

test('a certificate larger than the limit has no identity and is not read from PEM', (t) => {
  const large = certificate([identity, { kind: 'dns', value: 'x'.repeat(MAX_CERTIFICATE_BYTES) }])
  t.is(identityOfCertificate(large), undefined)
  t.throws(() => certificatesOfPem(toPem('CERTIFICATE', large.raw), 'roots'), { message: /roots: .*larger than/ })
})

test('bundles with more certificates or bytes than the limit are refused', (t) => {
  const pem = toPem('CERTIFICATE', certificate([identity]).raw)
  t.is(certificatesOfPem(pem.repeat(MAX_PEM_CERTIFICATES), 'roots').length, MAX_PEM_CERTIFICATES)
  t.throws(() => certificatesOfPem(pem.repeat(MAX_PEM_CERTIFICATES + 1), 'roots'), { message: /more than/ })
  t.throws(() => certificatesOfPem(pem + ' '.repeat(MAX_PEM_BUNDLE_BYTES), 'roots'), { message: /larger than/ })
})

test('an answer of the CA with more elements than the limit is refused', (t) => {
  const certChain = Array.from({ length: MAX_CHAIN_ELEMENTS + 1 }, () => '')
  t.throws(() => workloadCertificate({ identity: ALICE, privateKey: keys.privateKey, certChain, now: Date.now() }), {
    message: /chain elements/,
  })
})
