import { MAX_SHARED_BYTES } from './limits.ts'
import type { XdsResource } from './resource.types.ts'

/** One push to one client. */
export interface PushedResponse {
  readonly typeUrl: string
  readonly nonce: string
  readonly resources: readonly XdsResource[]
  readonly removedResources: readonly string[]
}

/** Tags of protobuf fields, all of them length-delimited: DeltaDiscoveryResponse, */
const RESOURCES = tag(2)
const RESPONSE_TYPE_URL = tag(4)
const NONCE = tag(5)
const REMOVED_RESOURCES = tag(6)
/** Resource, */
const VERSION = tag(1)
const BODY = tag(2)
const NAME = tag(3)
const ALIASES = tag(4)
/** and the Any that is its body. */
const ANY_TYPE_URL = tag(1)
const ANY_VALUE = tag(2)

const NOTHING = Buffer.alloc(0)

/** A response in DeltaDiscoveryResponse's encoding. What is sent to many clients one after another is encoded once. */
export function encodeResponse({ typeUrl, nonce, resources, removedResources }: PushedResponse): Buffer {
  const parts: Uint8Array[] = []
  for (const resource of resources) parts.push(shared.encoded(typeUrl, resource))
  parts.push(textField(RESPONSE_TYPE_URL, typeUrl), textField(NONCE, nonce))
  for (const name of removedResources) parts.push(field(REMOVED_RESOURCES, name))
  return Buffer.concat(parts)
}

/** Encoded resources that were sent last. A change goes to all clients in one turn, so that few of them serve most. */
export class SharedResources {
  /** Of each type; two views of one resource are two resources. */
  readonly #encoded = new Map<XdsResource, { readonly typeUrl: string; readonly bytes: Buffer }>()
  #bytes = 0
  /** How many were encoded, for tests that count work. */
  encodings = 0

  encoded(typeUrl: string, resource: XdsResource): Buffer {
    const known = this.#encoded.get(resource)
    if (known?.typeUrl === typeUrl) return known.bytes
    const bytes = encodeResource(typeUrl, resource)
    this.encodings++
    if (this.#bytes + bytes.length > MAX_SHARED_BYTES) {
      this.#encoded.clear()
      this.#bytes = 0
    }
    this.#encoded.set(resource, { typeUrl, bytes })
    this.#bytes += bytes.length
    return bytes
  }
}

/** One for the process: gRPC's methods are constants, and resources have no other identity than their object. */
export const shared: SharedResources = new SharedResources()

/** The field `resources` with one resource in it. */
function encodeResource(typeUrl: string, { name, version, aliases, bytes }: XdsResource): Buffer {
  const any = sizeOfText(typeUrl) + (bytes.length === 0 ? 0 : sizeOfField(bytes.length))
  let size = sizeOfText(version) + sizeOfField(any) + sizeOfText(name)
  for (const alias of aliases) size += sizeOfField(Buffer.byteLength(alias))
  const out = new Writer(sizeOfField(size))
  out.header(RESOURCES, size)
  out.text(VERSION, version)
  out.header(BODY, any)
  out.text(ANY_TYPE_URL, typeUrl)
  if (bytes.length > 0) out.bytes(ANY_VALUE, bytes)
  out.text(NAME, name)
  for (const alias of aliases) out.textOf(ALIASES, alias)
  return out.buffer
}

/** A singular text without a character is not written, one of a list is. */
function textField(tagged: number, text: string): Buffer {
  return text === '' ? NOTHING : field(tagged, text)
}

function field(tagged: number, text: string): Buffer {
  const out = new Writer(sizeOfField(Buffer.byteLength(text)))
  out.textOf(tagged, text)
  return out.buffer
}

class Writer {
  readonly buffer: Buffer
  #at = 0

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafe(size)
  }

  header(field: number, length: number): void {
    this.buffer[this.#at++] = field
    let rest = length
    while (rest > 0x7f) {
      this.buffer[this.#at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.buffer[this.#at++] = rest
  }

  bytes(field: number, bytes: Uint8Array): void {
    this.header(field, bytes.length)
    this.buffer.set(bytes, this.#at)
    this.#at += bytes.length
  }

  text(field: number, text: string): void {
    if (text !== '') this.textOf(field, text)
  }

  textOf(field: number, text: string): void {
    this.header(field, Buffer.byteLength(text))
    this.#at += this.buffer.write(text, this.#at)
  }
}

function tag(field: number): number {
  return (field << 3) | 2
}

function sizeOfText(text: string): number {
  return text === '' ? 0 : sizeOfField(Buffer.byteLength(text))
}

/** With tag and length; all tags here are one octet. */
function sizeOfField(length: number): number {
  let octets = 2
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) octets++
  return octets + length
}
