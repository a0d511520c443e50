/** The parts of a TLS 1.3 ClientHello (RFC 8446 §4.1.2) that decide the key exchange, and the name it asks for. */
export interface ClientHello {
  readonly serverName: string | undefined
  /** `supported_groups` in the client's order. */
  readonly groups: readonly number[]
  /** Groups a `key_share` was sent for. */
  readonly keyShares: readonly number[]
}

export type ClientHelloReading =
  | { readonly kind: 'complete'; readonly hello: ClientHello }
  | { readonly kind: 'incomplete' }
  /** Not a ClientHello; whether it is TLS at all is for the TLS stack to say. */
  | { readonly kind: 'unreadable' }

const RECORD_HANDSHAKE = 22
const MESSAGE_CLIENT_HELLO = 1
const RECORD_HEADER_BYTES = 5
/** Type and length. */
const MESSAGE_HEADER_BYTES = 4
const MAX_RECORD_BYTES = 16384
/** Of one ClientHello. */
const MAX_RECORDS = 16
const EXTENSION = { serverName: 0, supportedGroups: 10, keyShare: 51 } as const

/** Reads the first flight of a client as far as it has arrived. Never throws. */
export function readClientHello(bytes: Uint8Array): ClientHelloReading {
  const parts: Uint8Array[] = []
  let rest = bytes
  // Nobody with a good reason makes more.
  while (parts.length < MAX_RECORDS) {
    if (rest.length > 0 && rest[0] !== RECORD_HANDSHAKE) return { kind: 'unreadable' }
    if (rest.length < RECORD_HEADER_BYTES) return { kind: 'incomplete' }
    const length = ((rest[3] ?? 0) << 8) | (rest[4] ?? 0)
    // Empty ones are forbidden (RFC 8446 §5.1).
    if (length === 0 || length > MAX_RECORD_BYTES) return { kind: 'unreadable' }
    if (rest.length < RECORD_HEADER_BYTES + length) return { kind: 'incomplete' }
    parts.push(rest.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + length))
    rest = rest.subarray(RECORD_HEADER_BYTES + length)
    const message = Buffer.concat(parts)
    if (message[0] !== MESSAGE_CLIENT_HELLO) return { kind: 'unreadable' }
    if (message.length < MESSAGE_HEADER_BYTES || message.length < MESSAGE_HEADER_BYTES + message.readUIntBE(1, 3))
      continue
    const hello = readMessage(new Reader(message))
    return hello === undefined ? { kind: 'unreadable' } : { kind: 'complete', hello }
  }
  return { kind: 'unreadable' }
}

function readMessage(record: Reader): ClientHello | undefined {
  if (record.number(1) !== MESSAGE_CLIENT_HELLO) return undefined
  const body = record.vector(3)
  if (body === undefined) return undefined
  body.skip(2 + 32)
  body.vector(1) // legacy_session_id
  body.vector(2) // cipher_suites
  body.vector(1) // legacy_compression_methods
  const extensions = body.vector(2)
  if (extensions === undefined) return undefined
  let serverName: string | undefined
  let groups: readonly number[] = []
  let keyShares: readonly number[] = []
  while (extensions.remaining > 0) {
    const type = extensions.number(2)
    const content = extensions.vector(2)
    if (type === undefined || content === undefined) return undefined
    if (type === EXTENSION.serverName) serverName = readServerName(content)
    if (type === EXTENSION.supportedGroups) groups = readGroups(content)
    if (type === EXTENSION.keyShare) keyShares = readKeyShares(content)
  }
  return { serverName, groups, keyShares }
}

function readServerName(content: Reader): string | undefined {
  const list = content.vector(2)
  if (list?.number(1) !== 0) return undefined
  const name = list.vector(2)
  return name && Buffer.from(name.rest()).toString('latin1')
}

function readGroups(content: Reader): readonly number[] {
  const list = content.vector(2)
  const groups: number[] = []
  while (list !== undefined && list.remaining >= 2) groups.push(list.number(2) ?? 0)
  return groups
}

function readKeyShares(content: Reader): readonly number[] {
  const list = content.vector(2)
  const groups: number[] = []
  while (list !== undefined && list.remaining > 0) {
    const group = list.number(2)
    if (group === undefined || list.vector(2) === undefined) break
    groups.push(group)
  }
  return groups
}

/** Big-endian numbers and length-prefixed vectors; undefined past the end. */
class Reader {
  #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get remaining(): number {
    return this.#bytes.length
  }

  skip(count: number): void {
    this.#bytes = this.#bytes.subarray(count)
  }

  number(size: number): number | undefined {
    if (this.#bytes.length < size) return undefined
    let value = 0
    for (const byte of this.#bytes.subarray(0, size)) value = value * 256 + byte
    this.skip(size)
    return value
  }

  vector(lengthSize: number): Reader | undefined {
    const length = this.number(lengthSize)
    if (length === undefined || this.#bytes.length < length) return undefined
    const inner = new Reader(this.#bytes.subarray(0, length))
    this.skip(length)
    return inner
  }

  rest(): Uint8Array {
    return this.#bytes
  }
}
