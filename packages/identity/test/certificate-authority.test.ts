import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { inspect } from 'node:util'
import test from 'ava'
import {
  CertificateAuthority,
  certificatesOfPem,
  createCsr,
  identityOfCertificate,
  workloadCertificate,
} from '../src/index.ts'
import { ALICE, BOB, organisationCa } from './fixtures.ts'

const HOUR_MS = 3_600_000
const { ca, caCertPem, caKeyPem } = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' })

test('the self-signed root is a P-256 CA of ten years named after the trust domain', (t) => {
  const root = new X509Certificate(caCertPem)
  t.true(root.ca)
  t.is(root.subject, 'O=cluster.local')
  t.is(root.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
  t.true(root.verify(root.publicKey))
  t.is(Math.round((root.validToDate.getTime() - Date.now()) / (24 * HOUR_MS)), 3650)
})

test('a leaf has the given identity, whatever the request asks for', (t) => {
  const [leafPem = '', ...rest] = ca.sign({ csrPem: createCsr(BOB).csrPem, identity: ALICE, ttlSeconds: 3600 })
  const leaf = new X509Certificate(leafPem)
  t.deepEqual(identityOfCertificate(leaf), ALICE)
  t.is(leaf.subject, undefined as unknown as string)
  t.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
  t.false(leaf.ca)
  t.true(leaf.checkIssued(new X509Certificate(caCertPem)))
  t.true(leaf.verify(new X509Certificate(caCertPem).publicKey))
  t.deepEqual(rest, [caCertPem])
})

test('a leaf is valid from two minutes ago for the requested time', (t) => {
  const now = Date.UTC(2030, 0, 1)
  const [leafPem = ''] = ca.sign({ csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 3600, now })
  const leaf = new X509Certificate(leafPem)
  t.is(leaf.validFromDate.getTime(), now - 120_000)
  t.is(leaf.validToDate.getTime(), now + HOUR_MS)
})

for (const ttlSeconds of [0, -1]) {
  test(`a requested life of ${ttlSeconds} gives the default of a day`, (t) => {
    const now = Date.UTC(2030, 0, 1)
    const [leafPem = ''] = ca.sign({ csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds, now })
    t.is(new X509Certificate(leafPem).validToDate.getTime(), now + 24 * HOUR_MS)
  })
}

test('a requested life above 90 days is an error, not clamped', (t) => {
  t.throws(() => ca.sign({ csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 90 * 86_400 + 1 }), {
    code: 'ERR_TTL_TOO_LONG',
  })
})

test('a leaf does not outlive its CA, and an expired CA signs nothing', (t) => {
  const now = Date.UTC(2030, 0, 1)
  const short = CertificateAuthority.createSelfSigned({ trustDomain: 'x', ttlMs: HOUR_MS, now }).ca
  const csrPem = createCsr(ALICE).csrPem
  const [leafPem = ''] = short.sign({ csrPem, identity: ALICE, ttlSeconds: 86_400, now })
  t.is(new X509Certificate(leafPem).validToDate.getTime(), now + HOUR_MS)
  t.throws(() => short.sign({ csrPem, identity: ALICE, ttlSeconds: 60, now: now + HOUR_MS }), {
    code: 'ERR_CA_MATERIAL',
  })
})

test('dates from 2050 on are written and read', (t) => {
  const now = Date.UTC(2049, 11, 31, 23)
  const late = CertificateAuthority.createSelfSigned({ trustDomain: 'x', now }).ca
  const [leafPem = ''] = late.sign({ csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 86_400, now })
  t.is(new X509Certificate(leafPem).validToDate.getTime(), now + 24 * HOUR_MS)
})

test('serial numbers are random, positive and in their shortest form', (t) => {
  const serials = Array.from({ length: 20 }, () => {
    const [leafPem = ''] = ca.sign({ csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 60 })
    return new X509Certificate(leafPem).serialNumber
  })
  t.is(new Set(serials).size, 20)
  t.true(serials.every((serial) => /^[4-7][0-9A-F]{31}$/.test(serial)))
})

test('a damaged request is refused with a reason', (t) => {
  t.throws(() => ca.sign({ csrPem: 'nonsense', identity: ALICE, ttlSeconds: 60 }), {
    code: 'ERR_CSR_REFUSED',
    message: /expected one PEM block/,
  })
})

for (const kind of ['rsa', 'ec', 'p384'] as const) {
  test(`a plugged-in ${kind} intermediate signs, and its certificate is sent between leaf and roots`, (t) => {
    const { rootPem, intermediatePem, intermediateKeyPem } = organisationCa(kind)
    const plugged = CertificateAuthority.load({
      caCertPem: intermediatePem,
      caKeyPem: intermediateKeyPem,
      certChainPem: intermediatePem + rootPem,
      rootCertPem: rootPem,
    })
    const { csrPem, privateKey } = createCsr(ALICE)
    const certChain = plugged.sign({ csrPem, identity: ALICE, ttlSeconds: 60 })
    t.deepEqual(certChain.slice(1), [intermediatePem, rootPem])
    const certificate = workloadCertificate({ identity: ALICE, privateKey, certChain, now: Date.now() })
    t.is(certificate.chain.length, 2)
    t.is(certificate.roots.length, 1)
    const [leaf, intermediate] = certificate.chain
    t.true(intermediate !== undefined && leaf?.checkIssued(intermediate))
  })
}

test('several roots are handed out as one bundle', (t) => {
  const other = CertificateAuthority.createSelfSigned({ trustDomain: 'other' }).caCertPem
  const both = CertificateAuthority.load({ caCertPem, caKeyPem, rootCertPem: caCertPem + other })
  t.is(certificatesOfPem(both.rootsPem, 'roots').length, 2)
})

const { rootPem, intermediatePem, intermediateKeyPem } = organisationCa('ec')
for (const [name, material, message] of [
  ['a key of another certificate', { caCertPem, caKeyPem: intermediateKeyPem }, /not the key/],
  [
    'a leaf as CA',
    { caCertPem: ca.sign({ csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 60 })[0] ?? '', caKeyPem },
    /not a CA/,
  ],
  ['no certificate', { caCertPem: '', caKeyPem }, /holds no certificate/],
  [
    'a chain that misses the root',
    { caCertPem: intermediatePem, caKeyPem: intermediateKeyPem, rootCertPem: caCertPem },
    /does not lead/,
  ],
  ['an unreadable key', { caCertPem, caKeyPem: 'x' }, /cannot be read/],
] as const) {
  test(`${name} is refused at load`, (t) => {
    t.throws(() => CertificateAuthority.load(material), { code: 'ERR_CA_MATERIAL', message })
  })
}

test('a chain is found through cert-chain.pem in any order', (t) => {
  t.notThrows(() =>
    CertificateAuthority.load({
      caCertPem: intermediatePem,
      caKeyPem: intermediateKeyPem,
      certChainPem: rootPem + intermediatePem,
      rootCertPem: rootPem,
    }),
  )
})

test('a serving certificate has the DNS names and addresses asked for', (t) => {
  const server = ca.signServer({ dnsNames: ['istiod.istio-system.svc', '10.96.0.1', 'fd00::1'], ttlMs: HOUR_MS })
  const leaf = new X509Certificate(server.certPem)
  t.is(leaf.checkHost('istiod.istio-system.svc'), 'istiod.istio-system.svc')
  t.is(leaf.checkIP('10.96.0.1'), '10.96.0.1')
  t.is(leaf.checkIP('fd00::1'), 'fd00::1')
  t.true(server.keyPem.includes('PRIVATE KEY'))
  t.is(server.chainPem, server.certPem)
})

test('neither an authority nor a certificate shows key material when printed or serialized', (t) => {
  const { csrPem, privateKey } = createCsr(ALICE)
  const certChain = ca.sign({ csrPem, identity: ALICE, ttlSeconds: 60 })
  const certificate = workloadCertificate({ identity: ALICE, privateKey, certChain, now: Date.now() })
  const secret = privateKey.export({ format: 'jwk' }).d ?? 'missing'
  const hex = Buffer.from(secret, 'base64url').toString('hex')
  const pemBody = caKeyPem.split('\n')[1] ?? 'missing'
  for (const thing of [ca, certificate]) {
    for (const text of [inspect(thing, { depth: 10, showHidden: true }), JSON.stringify(thing)]) {
      for (const part of [secret, hex, pemBody, 'PRIVATE KEY']) t.false(text.includes(part))
    }
  }
})

test('no error about a key quotes it', (t) => {
  const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })
  const damaged = pem.replace(/.{8}\n-----END/, '\n-----END')
  for (const material of [
    { caCertPem, caKeyPem: pem },
    { caCertPem, caKeyPem: damaged },
    { caCertPem: pem, caKeyPem },
  ]) {
    const error = t.throws(() => CertificateAuthority.load(material))
    t.false(inspect(error, { depth: 10 }).includes(pem.split('\n')[1]?.slice(0, 20) ?? 'missing'))
  }
})
