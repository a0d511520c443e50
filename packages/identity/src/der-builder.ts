import forge from 'node-forge'

const { asn1 } = forge
const { Class, Type } = asn1

/** An ASN.1 value under construction. */
export type Asn1 = forge.asn1.Asn1

/** The last instant that RFC 5280 §4.1.2.5 writes as UTCTime. */
const UTC_TIME_END_MS = Date.UTC(2050, 0, 1)

export function sequence(...values: readonly Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...values])
}

export function set(...values: readonly Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SET, true, [...values])
}

/** `[number] EXPLICIT`, or an implicit constructed one. */
export function context(number: number, ...values: readonly Asn1[]): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, number, true, [...values])
}

/** `[number] IMPLICIT` of a primitive. */
export function contextPrimitive(number: number, bytes: Uint8Array): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, number, false, binary(bytes))
}

export function oid(dotted: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(dotted).getBytes())
}

/** INTEGER from its two's complement octets. */
export function integer(bytes: Uint8Array): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, binary(bytes))
}

export function boolean(value: boolean): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.BOOLEAN, false, value ? '\xff' : '\0')
}

export function nothing(): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.NULL, false, '')
}

export function utf8String(text: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.UTF8, false, binary(Buffer.from(text, 'utf8')))
}

export function octetString(bytes: Uint8Array): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, binary(bytes))
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, String.fromCharCode(unusedBits) + binary(bytes))
}

export function time(ms: number): Asn1 {
  const date = new Date(ms)
  return ms < UTC_TIME_END_MS
    ? asn1.create(Class.UNIVERSAL, Type.UTCTIME, false, asn1.dateToUtcTime(date))
    : asn1.create(Class.UNIVERSAL, Type.GENERALIZEDTIME, false, asn1.dateToGeneralizedTime(date))
}

/** A value that is already DER, kept octet by octet. */
export function existing(der: Uint8Array): Asn1 {
  return asn1.fromDer(binary(der), { strict: true, parseAllBytes: true, decodeBitStrings: false } as never)
}

export function encode(value: Asn1): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'latin1')
}

/** forge keeps octets as the characters U+0000 to U+00FF. */
function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
