import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import type { XdsResource } from './resource.types.ts'

/** A `Resource` as received, with the type its content says it is; undefined without content. */
export interface ReceivedResource extends XdsResource {
  readonly contentType: string | undefined
}

/**
 * A `DeltaDiscoveryResponse` as received. Its resources are read one by one when they are asked for: a first answer may hold a
 * hundred thousand. What a resource holds is a view of the response.
 */
export class DeltaResponse {
  readonly #bytes: Uint8Array
  /** Start and end of each resource. */
  readonly #resources: readonly number[]
  readonly typeUrl: string
  readonly nonce: string
  readonly removed: readonly string[]

  /** Throws on what is no such message. */
  constructor(bytes: Uint8Array) {
    const resources: number[] = []
    const removed: string[] = []
    let typeUrl = ''
    let nonce = ''
    const reader = new BinaryReader(bytes)
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag()
      if (type !== WireType.LengthDelimited) reader.skip(type, field)
      else if (field === FIELDS.typeUrl) typeUrl = reader.string()
      else if (field === FIELDS.nonce) nonce = reader.string()
      else if (field === FIELDS.removed) removed.push(reader.string())
      else if (field === FIELDS.resources) {
        const length = reader.uint32()
        const end = reader.pos + length
        if (end > reader.len) throw new RangeError('a resource ends after its response')
        resources.push(reader.pos, end)
        reader.pos = end
      } else reader.skip(type, field)
    }
    this.#bytes = bytes
    this.#resources = resources
    this.typeUrl = typeUrl
    this.nonce = nonce
    this.removed = removed
  }

  /** On the wire. */
  get bytes(): number {
    return this.#bytes.length
  }

  /** Of resources. */
  get size(): number {
    return this.#resources.length / 2
  }

  /** Throws when one is no such message. */
  *resources(): Generator<ReceivedResource> {
    for (let i = 0; i < this.#resources.length; i += 2) {
      yield readResource(this.#bytes.subarray(this.#resources[i], this.#resources[i + 1]))
    }
  }
}

const FIELDS = { resources: 2, typeUrl: 4, nonce: 5, removed: 6 } as const
const RESOURCE_FIELDS = { version: 1, content: 2, name: 3, aliases: 4 } as const
const ANY_FIELDS = { typeUrl: 1, value: 2 } as const

const NONE: readonly string[] = []
const EMPTY: Uint8Array = new Uint8Array()

function readResource(message: Uint8Array): ReceivedResource {
  let name = ''
  let version = ''
  let aliases: string[] | undefined
  let contentType: string | undefined
  let bytes: Uint8Array = EMPTY
  const reader = new BinaryReader(message)
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (type !== WireType.LengthDelimited) reader.skip(type, field)
    else if (field === RESOURCE_FIELDS.name) name = reader.string()
    else if (field === RESOURCE_FIELDS.version) version = reader.string()
    else if (field === RESOURCE_FIELDS.aliases) (aliases ??= []).push(reader.string())
    else if (field === RESOURCE_FIELDS.content) {
      contentType ??= ''
      const any = new BinaryReader(reader.bytes())
      while (any.pos < any.len) {
        const [part, partType] = any.tag()
        if (partType === WireType.LengthDelimited && part === ANY_FIELDS.typeUrl) contentType = any.string()
        else if (partType === WireType.LengthDelimited && part === ANY_FIELDS.value) bytes = any.bytes()
        else any.skip(partType, part)
      }
    } else reader.skip(type, field)
  }
  return { name, version, aliases: aliases ?? NONE, bytes, contentType }
}
