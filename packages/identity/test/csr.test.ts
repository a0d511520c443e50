import { generateKeyPairSync } from 'node:crypto'
import { formatSpiffeId } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import { createCsr, readCsr } from '../src/csr.ts'
import { bitString, encode, existing, integer, sequence } from '../src/der-builder.ts'
import { MAX_CSR_PEM_BYTES } from '../src/limits.ts'
import { onlyPemBlock, toPem } from '../src/pem.ts'
import { algorithmIdentifier, algorithmOfKey, signBytes } from '../src/signature-algorithm.ts'
import { ALICE } from './fixtures.ts'

test('a request of ours has a P-256 key, a valid signature and the identity as its only name', (t) => {
  const { csrPem, privateKey } = createCsr(ALICE)
  t.true(csrPem.startsWith('-----BEGIN CERTIFICATE REQUEST-----\n'))
  t.is(privateKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
  const verdict = readCsr(csrPem)
  t.true(verdict.accepted)
  t.deepEqual(verdict.accepted && verdict.uris, [formatSpiffeId(ALICE)])
})

test('every request has a new key', (t) => {
  t.not(createCsr(ALICE).csrPem, createCsr(ALICE).csrPem)
})

for (const [name, make, accepted] of [
  ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }), true],
  ['Ed25519', () => generateKeyPairSync('ed25519'), true],
  ['RSA 2048', () => generateKeyPairSync('rsa', { modulusLength: 2048 }), true],
  ['RSA 1024', () => generateKeyPairSync('rsa', { modulusLength: 1024 }), false],
  ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }), false],
] as const) {
  test(`a request with a key of type ${name} is ${accepted ? 'accepted' : 'refused'}`, (t) => {
    const { privateKey, publicKey } = make()
    const info = sequence(
      integer(Uint8Array.of(0)),
      sequence(),
      existing(publicKey.export({ type: 'spki', format: 'der' })),
    )
    const algorithm = algorithmOfKey(privateKey)
    if (algorithm === undefined) throw new TypeError('no algorithm')
    const signature = bitString(signBytes(algorithm, privateKey, encode(info)))
    t.is(
      readCsr(toPem('CERTIFICATE REQUEST', encode(sequence(info, algorithmIdentifier(algorithm), signature)))).accepted,
      accepted,
    )
  })
}

test('a request signed by another key is refused', (t) => {
  const mine = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = algorithmOfKey(other.privateKey)
  if (algorithm === undefined) throw new TypeError('no algorithm')
  const info = sequence(
    integer(Uint8Array.of(0)),
    sequence(),
    existing(mine.publicKey.export({ type: 'spki', format: 'der' })),
  )
  const signature = bitString(signBytes(algorithm, other.privateKey, encode(info)))
  const verdict = readCsr(
    toPem('CERTIFICATE REQUEST', encode(sequence(info, algorithmIdentifier(algorithm), signature))),
  )
  t.deepEqual(verdict, { accepted: false, reason: 'the signature does not prove possession of the private key' })
})

for (const [name, text] of [
  ['nothing', ''],
  ['another label', createCsr(ALICE).csrPem.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE')],
  ['two requests', createCsr(ALICE).csrPem + createCsr(ALICE).csrPem],
  ['more than the limit', 'x'.repeat(MAX_CSR_PEM_BYTES + 1)],
] as const) {
  test(`${name} is refused with a reason`, (t) => {
    const verdict = readCsr(text)
    t.false(verdict.accepted)
    t.true(!verdict.accepted && verdict.reason.length > 10)
  })
}

test('no change of a single byte is accepted, and none throws', (t) => {
  const der = onlyPemBlock(createCsr(ALICE).csrPem, 'CERTIFICATE REQUEST')
  if (der === undefined) throw new TypeError('no request')
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Buffer.from(der)
      changed[at] = (changed[at] ?? 0) ^ flip
      return !readCsr(toPem('CERTIFICATE REQUEST', changed)).accepted
    }),
    { numRuns: 500 },
  )
  t.pass()
})

test('arbitrary bytes are refused, never an exception', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => !readCsr(toPem('CERTIFICATE REQUEST', bytes)).accepted),
  )
  fc.assert(fc.property(fc.string(), (text) => !readCsr(text).accepted))
  t.pass()
})
