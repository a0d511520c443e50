import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { isObject, type JsonObject, setMember } from '../json.ts'
import { MAX_DEPTH } from '../limits.ts'
import type { BuiltinTypes } from '../schema/builtin-types.ts'
import type { TypeField, TypeNode } from '../schema/type-node.ts'
import { badRequest, StatusError } from '../status-error.ts'

/** First bytes of `application/vnd.kubernetes.protobuf`. */
const MAGIC = Buffer.from('k8s\0')

export interface UnknownObject {
  readonly apiVersion: string
  readonly kind: string
  readonly raw: Uint8Array
}

/** The envelope (runtime.Unknown) around a protobuf object. */
export function decodeEnvelope(body: Uint8Array): UnknownObject {
  if (body.length < MAGIC.length || !MAGIC.equals(body.subarray(0, MAGIC.length)))
    throw badRequest('the body does not begin as Kubernetes protobuf does')
  let apiVersion = ''
  let kind = ''
  let raw: Uint8Array = new Uint8Array()
  read(body.subarray(MAGIC.length), (number, wire, reader) => {
    if (number === 1 && wire === WireType.LengthDelimited)
      read(reader.bytes(), (inner, innerWire, innerReader) => {
        if (inner === 1 && innerWire === WireType.LengthDelimited) apiVersion = innerReader.string()
        else if (inner === 2 && innerWire === WireType.LengthDelimited) kind = innerReader.string()
        else innerReader.skip(innerWire)
      })
    else if (number === 2 && wire === WireType.LengthDelimited) raw = reader.bytes()
    else reader.skip(wire)
  })
  return { apiVersion, kind, raw }
}

/** An object of a built-in kind from its protobuf form; the type table has the field numbers. */
export function decodeObject(type: TypeNode, envelope: UnknownObject): JsonObject {
  const value = decodeMessage(type, envelope.raw, 0)
  return { apiVersion: envelope.apiVersion, kind: envelope.kind, metadata: {}, ...value }
}

/** The type of a body that isn't stored under a resource, e.g. DeleteOptions. */
export function typeOfKind(types: BuiltinTypes, kind: string): TypeNode {
  const names: Readonly<Record<string, string>> = {
    DeleteOptions: 'meta.DeleteOptions',
    TokenRequest: 'authentication.TokenRequest',
    TokenReview: 'authentication.TokenReview',
    SelfSubjectReview: 'authentication.SelfSubjectReview',
    SubjectAccessReview: 'authorization.SubjectAccessReview',
    SelfSubjectAccessReview: 'authorization.SelfSubjectAccessReview',
    LocalSubjectAccessReview: 'authorization.LocalSubjectAccessReview',
    SelfSubjectRulesReview: 'authorization.SelfSubjectRulesReview',
    Scale: 'autoscaling.Scale',
    Eviction: 'policy.Eviction',
    Binding: 'Binding',
  }
  const name = names[kind]
  if (name === undefined) throw unsupported(kind)
  return types.get(name)
}

function unsupported(kind: string): StatusError {
  return new StatusError(
    415,
    'UnsupportedMediaType',
    `no protobuf form of ${JSON.stringify(kind.slice(0, 100))} is known here: send JSON`,
  )
}

function read(bytes: Uint8Array, onField: (number: number, wire: WireType, reader: BinaryReader) => void): void {
  try {
    const reader = new BinaryReader(bytes)
    while (reader.pos < reader.len) {
      const [number, wire] = reader.tag()
      onField(number, wire, reader)
    }
  } catch (error) {
    if (error instanceof StatusError) throw error
    throw badRequest(`the protobuf body can't be decoded: ${error instanceof Error ? error.message : 'unknown'}`)
  }
}

function decodeMessage(type: TypeNode, bytes: Uint8Array, depth: number): JsonObject {
  if (depth > MAX_DEPTH) throw badRequest(`the protobuf body is nested deeper than ${MAX_DEPTH}`)
  const byNumber = fieldsByNumber(type)
  const result: JsonObject = {}
  read(bytes, (number, wire, reader) => {
    const named = byNumber.get(number)
    if (named === undefined) {
      reader.skip(wire)
      return
    }
    const [name, field] = named
    const value = decodeValue(field.type, wire, reader, depth)
    if (value === undefined) return
    if (field.zeroIsAbsent === true && (value === 0 || value === false)) return
    if (field.inline === true) {
      if (isObject(value)) Object.assign(result, value)
    } else if (field.type.kind === 'list') {
      const list = result[name]
      if (Array.isArray(list)) list.push(value)
      else result[name] = [value]
    } else if (field.type.kind === 'map') {
      const map = isObject(result[name]) ? result[name] : {}
      result[name] = map
      const [key, item] = value as readonly [string, unknown]
      setMember(map, key, item)
    } else result[name] = value
  })
  return result
}

/** Value of one field; undefined for what JSON leaves out, an empty string or time. */
function decodeValue(type: TypeNode, wire: WireType, reader: BinaryReader, depth: number): unknown {
  switch (type.kind) {
    case 'list':
      return decodeItem(type.of, wire, reader, depth)
    case 'map': {
      let key = ''
      let value: unknown
      const of = type.of ?? { kind: 'string' }
      read(reader.bytes(), (number, innerWire, inner) => {
        if (number === 1) key = inner.string()
        else if (number === 2) value = decodeItem(of, innerWire, inner, depth + 1)
        else inner.skip(innerWire)
      })
      return [key, value ?? (of.kind === 'string' || of.kind === 'bytes' ? '' : {})]
    }
    case 'string': {
      const text = reader.string()
      return text === '' ? undefined : text
    }
    case 'integer':
      return Number(reader.int64())
    case 'boolean':
      return reader.bool()
    case 'number':
      return wire === WireType.Bit64 ? reader.double() : reader.float()
    case 'bytes':
      return Buffer.from(reader.bytes()).toString('base64')
    case 'object':
      return decodeMessage(type, reader.bytes(), depth + 1)
    case 'time':
      return decodeTime(reader.bytes())
    case 'quantity':
      return firstString(reader.bytes())
    case 'intstr':
      return decodeIntOrString(reader.bytes())
    case 'raw':
    case 'any':
      return decodeRaw(reader.bytes())
    default:
      return type.kind satisfies never
  }
}

function decodeItem(type: TypeNode | undefined, wire: WireType, reader: BinaryReader, depth: number): unknown {
  if (type === undefined || type.kind === 'string') return reader.string()
  return decodeValue(type, wire, reader, depth)
}

const numbered = new WeakMap<TypeNode, ReadonlyMap<number, readonly [string, TypeField]>>()

function fieldsByNumber(type: TypeNode): ReadonlyMap<number, readonly [string, TypeField]> {
  const known = numbered.get(type)
  if (known !== undefined) return known
  const map = new Map<number, readonly [string, TypeField]>()
  for (const [name, field] of type.fields ?? []) if (field.number !== undefined) map.set(field.number, [name, field])
  numbered.set(type, map)
  return map
}

function decodeTime(bytes: Uint8Array): string | undefined {
  let seconds = 0
  read(bytes, (number, wire, reader) => {
    if (number === 1 && wire === WireType.Varint) seconds = Number(reader.int64())
    else reader.skip(wire)
  })
  const ms = seconds * 1000
  // The zero time of Go is how an absent one is sent.
  if (bytes.length === 0 || !Number.isFinite(ms) || Math.abs(ms) > 8.64e15 || seconds < -62_000_000_000)
    return undefined
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

function firstString(bytes: Uint8Array): string {
  let text = ''
  read(bytes, (number, wire, reader) => {
    if (number === 1 && wire === WireType.LengthDelimited) text = reader.string()
    else reader.skip(wire)
  })
  return text
}

function decodeIntOrString(bytes: Uint8Array): string | number {
  let isString = false
  let integer = 0
  let text = ''
  read(bytes, (number, wire, reader) => {
    if (number === 1) isString = reader.int64().toString() === '1'
    else if (number === 2) integer = Number(reader.int64())
    else if (number === 3) text = reader.string()
    else reader.skip(wire)
  })
  return isString ? text : integer
}

function decodeRaw(bytes: Uint8Array): unknown {
  const text = firstString(bytes)
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    throw badRequest('JSON inside of the protobuf body is not valid')
  }
}
