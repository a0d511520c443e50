import { X509Certificate } from 'node:crypto'
import { CertificateMaker } from '@ambit/testing'
import test from 'ava'
import { forwardedCertificate, hasAltName } from '../src/gateway/client-certificate.ts'

const maker = new CertificateMaker()

test('names of a certificate, all or some', (t) => {
  const server = new X509Certificate(maker.server(['a.test', 'b.test']).certPem)
  t.true(hasAltName(server, []))
  t.true(hasAltName(server, ['x', 'b.test']))
  t.false(hasAltName(server, ['.test', 'a.test, DNS:b.test']))
  const workload = new X509Certificate(maker.workload(maker.identity('n', 'a')).chainPem)
  t.true(hasAltName(workload, ['spiffe://cluster.local/ns/n/sa/a']))
})

test('x-forwarded-client-cert: one element, whatever stands in the certificate', (t) => {
  const said = forwardedCertificate(new X509Certificate(maker.server(['a.test', 'b.test']).certPem))
  t.regex(said, /;DNS=a\.test;DNS=b\.test$/)
  const odd = {
    raw: Buffer.of(1),
    subject: 'C=DE\nO=a "quoted", part; \\ ü\nCN=x',
    subjectAltName: 'URI:"spiffe://a/b,c;URI=spiffe://d", DNS:e.test',
    toString: () => 'PEM\n,;="',
  }
  t.is(
    forwardedCertificate(odd as unknown as X509Certificate),
    'Hash=4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a;Cert="PEM%0A%2C%3B%3D%22";' +
      String.raw`Subject="CN=x,O=a \"quoted\", part; \\ ?,C=DE";URI="spiffe://a/b,c;URI=spiffe://d";DNS=e.test`,
  )
})
