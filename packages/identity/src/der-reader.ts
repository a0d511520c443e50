/**
 * A strict reader of DER (X.690): definite lengths in their shortest form, single-byte tags, nothing after the end.
 * Every function answers undefined for anything else, so peers' bytes are never an exception.
 */
export interface DerValue {
  readonly tag: number
  readonly content: Uint8Array
  /** Header and content. */
  readonly whole: Uint8Array
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
  /** GeneralName, RFC 5280 §4.2.1.6. */
  dnsName: 0x82,
  uri: 0x86,
} as const

/** Context-specific constructed tag, `[n] EXPLICIT` and `[n] IMPLICIT SEQUENCE` alike. */
export function contextTag(number: number): number {
  return 0xa0 | number
}

/** The one value that the bytes consist of. */
export function readDer(bytes: Uint8Array, tag: number): DerValue | undefined {
  const value = readFirst(bytes)
  return value?.tag === tag && value.whole.length === bytes.length ? value : undefined
}

/** The values inside a constructed one; undefined when they are malformed or more than `limit`. */
export function readChildren(parent: DerValue, limit: number): readonly DerValue[] | undefined {
  const children: DerValue[] = []
  let rest = parent.content
  while (rest.length > 0) {
    const child = readFirst(rest)
    if (child === undefined || children.length === limit) return undefined
    children.push(child)
    rest = rest.subarray(child.whole.length)
  }
  return children
}

/** Dotted text of an OBJECT IDENTIFIER. */
export function readOid(value: DerValue | undefined): string | undefined {
  if (value?.tag !== TAG.oid || value.content.length === 0) return undefined
  const arcs: number[] = []
  let arc = 0
  let startOfArc = true
  for (const byte of value.content) {
    if (startOfArc && byte === 0x80) return undefined
    arc = arc * 128 + (byte & 0x7f)
    if (arc > 0xffffffff) return undefined
    startOfArc = (byte & 0x80) === 0
    if (startOfArc) {
      arcs.push(arc)
      arc = 0
    }
  }
  const [first, ...rest] = arcs
  if (!startOfArc || first === undefined) return undefined
  const root = Math.min(2, Math.floor(first / 40))
  return [root, first - 40 * root, ...rest].join('.')
}

/** Octets of a BIT STRING whose length is a multiple of eight bits. */
export function readBitString(value: DerValue | undefined): Uint8Array | undefined {
  if (value?.tag !== TAG.bitString || value.content[0] !== 0) return undefined
  return value.content.subarray(1)
}

function readFirst(bytes: Uint8Array): DerValue | undefined {
  const [tag, short] = bytes
  if (tag === undefined || short === undefined || (tag & 0x1f) === 0x1f) return undefined
  if (short < 0x80) return slice(bytes, tag, 2, short)
  const size = short & 0x7f
  // Four length octets hold more than any limit of ours; 0x80 is the indefinite form, which DER forbids.
  if (size === 0 || size > 4 || bytes.length < 2 + size) return undefined
  let length = 0
  for (const byte of bytes.subarray(2, 2 + size)) length = length * 256 + byte
  const shortest = length < 0x80 ? 0 : Math.ceil(Math.log2(length + 1) / 8)
  return shortest === size ? slice(bytes, tag, 2 + size, length) : undefined
}

function slice(bytes: Uint8Array, tag: number, header: number, length: number): DerValue | undefined {
  const end = header + length
  if (bytes.length < end) return undefined
  return { tag, content: bytes.subarray(header, end), whole: bytes.subarray(0, end) }
}
