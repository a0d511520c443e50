import type { Ip } from '@ambit/core'
import { ipFamily, ipFromBytes, ipToBytes } from '@ambit/core'

/** Longest name on the wire, bytes (RFC 1035 §2.3.4). */
const MAX_NAME_BYTES = 255

/** Pointers followed in one name; more cannot be honest within 255 bytes. */
const MAX_POINTERS = 64

/** Records read from one message; a message with more is malformed to us. */
export const MAX_RECORDS = 512

export const TYPE = { A: 1, CNAME: 5, AAAA: 28, OPT: 41 } as const
export const CLASS_IN = 1

export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const

export interface Flags {
  readonly response: boolean
  readonly opcode: number
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly recursionDesired: boolean
  readonly recursionAvailable: boolean
  readonly rcode: number
}

/** A name as its labels; each label is one string of bytes (latin1), case as received. */
export type Name = readonly string[]

export interface Question {
  readonly name: Name
  readonly type: number
  readonly class: number
}

export type RecordData =
  | { readonly kind: 'address'; readonly ip: Ip }
  | { readonly kind: 'cname'; readonly name: Name }
  | { readonly kind: 'opaque'; readonly bytes: Uint8Array }

export interface ResourceRecord {
  readonly name: Name
  readonly type: number
  readonly class: number
  readonly ttlSeconds: number
  readonly data: RecordData
}

export interface Message {
  readonly id: number
  readonly flags: Flags
  readonly questions: readonly Question[]
  readonly answers: readonly ResourceRecord[]
  readonly authorities: readonly ResourceRecord[]
  readonly additionals: readonly ResourceRecord[]
}

/** Reads a whole message; undefined when any part of it is malformed, bytes left over included. */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  try {
    const reader = new Reader(bytes)
    const header = reader.header()
    const questions = repeat(header.counts[0], () => reader.question())
    const answers = repeat(header.counts[1], () => reader.record())
    const authorities = repeat(header.counts[2], () => reader.record())
    const additionals = repeat(header.counts[3], () => reader.record())
    if (reader.offset !== bytes.length) return undefined
    return { id: header.id, flags: header.flags, questions, answers, authorities, additionals }
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

/** Writes a message with compressed names. The caller keeps the names valid: they came out of a decoder or a parser. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new Writer()
  writer.u16(message.id)
  writer.u16(flagBits(message.flags))
  const sections = [message.answers, message.authorities, message.additionals] as const
  writer.u16(message.questions.length)
  for (const section of sections) writer.u16(section.length)
  for (const { name, type, class: klass } of message.questions) {
    writer.name(name)
    writer.u16(type)
    writer.u16(klass)
  }
  for (const section of sections) for (const record of section) writer.record(record)
  return writer.bytes()
}

/** Labels of a presented name without escapes, or undefined when it cannot be put on the wire. */
export function parseName(text: string): Name | undefined {
  const bare = text.endsWith('.') ? text.slice(0, -1) : text
  if (bare === '') return []
  const labels = bare.split('.')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of one byte
  const fits = labels.every((label) => label.length > 0 && label.length <= 63 && /^[\u0000-\u00ff]*$/.test(label))
  return fits && wireLength(labels) <= MAX_NAME_BYTES ? labels : undefined
}

/** Lower-case dotted form, for look-ups; undefined when a label holds bytes no hostname has. */
export function hostnameOf(name: Name): string | undefined {
  const text = name.join('.').toLowerCase()
  return name.every((label) => /^[A-Za-z0-9_*-]+$/.test(label)) ? text : undefined
}

/** Name for people: bytes outside printable ASCII as `\DDD`. */
export function presentName(name: Name): string {
  return `${name
    .map((label) =>
      label.replace(/[^\x21-\x2d\x2f-\x5b\x5d-\x7e]/g, (char) => `\\${String(char.charCodeAt(0)).padStart(3, '0')}`),
    )
    .join('.')}.`
}

class Malformed extends Error {}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  offset = 0
  #records = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  header(): { id: number; flags: Flags; counts: readonly [number, number, number, number] } {
    const id = this.#u16()
    const flags = flagsOf(this.#u16())
    return { id, flags, counts: [this.#u16(), this.#u16(), this.#u16(), this.#u16()] }
  }

  question(): Question {
    this.#count()
    return { name: this.#name(), type: this.#u16(), class: this.#u16() }
  }

  record(): ResourceRecord {
    this.#count()
    const name = this.#name()
    const type = this.#u16()
    const klass = this.#u16()
    const ttlSeconds = this.#u32()
    const length = this.#u16()
    const end = this.offset + length
    if (end > this.#bytes.length) throw new Malformed('record data beyond the message')
    const data = this.#data(type, klass, end)
    if (this.offset !== end) throw new Malformed('record data of another length')
    return { name, type, class: klass, ttlSeconds, data }
  }

  #data(type: number, klass: number, end: number): RecordData {
    if (type === TYPE.CNAME) return { kind: 'cname', name: this.#name() }
    const bytes = this.#bytes.subarray(this.offset, end)
    this.offset = end
    if (klass !== CLASS_IN || (type !== TYPE.A && type !== TYPE.AAAA)) return { kind: 'opaque', bytes }
    const ip = bytes.length === (type === TYPE.A ? 4 : 16) ? ipFromBytes(bytes) : undefined
    if (ip === undefined) throw new Malformed('address of another length')
    // An IPv4-mapped AAAA would come back as an A; it stays as it is.
    return ipFamily(ip) === (type === TYPE.A ? 4 : 6) ? { kind: 'address', ip } : { kind: 'opaque', bytes }
  }

  /** Pointers must go back, each further than the last, so a name always ends. */
  #name(): Name {
    const labels: string[] = []
    let at = this.offset
    let resume: number | undefined
    let length = 1
    for (let pointers = 0; ; ) {
      const size = this.#byte(at)
      if (size === 0) break
      if ((size & 0xc0) === 0xc0) {
        const target = ((size & 0x3f) << 8) | this.#byte(at + 1)
        resume ??= at + 2
        if (target >= at || ++pointers > MAX_POINTERS) throw new Malformed('name pointer does not go back')
        at = target
        continue
      }
      if (size > 63) throw new Malformed('label type')
      length += size + 1
      if (length > MAX_NAME_BYTES || at + 1 + size > this.#bytes.length) throw new Malformed('name too long')
      labels.push(Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + at + 1, size).toString('latin1'))
      at += size + 1
    }
    this.offset = resume ?? at + 1
    return labels
  }

  #count(): void {
    if (++this.#records > MAX_RECORDS) throw new Malformed('too many records')
  }

  #byte(at: number): number {
    const value = this.#bytes[at]
    if (value === undefined) throw new Malformed('beyond the message')
    return value
  }

  #u16(): number {
    if (this.offset + 2 > this.#bytes.length) throw new Malformed('beyond the message')
    this.offset += 2
    return this.#view.getUint16(this.offset - 2)
  }

  #u32(): number {
    return this.#u16() * 0x10000 + this.#u16()
  }
}

class Writer {
  readonly #out: number[] = []
  /** Offsets of name suffixes already written, by their exact bytes. */
  readonly #suffixes = new Map<string, number>()

  u16(value: number): void {
    this.#out.push((value >> 8) & 0xff, value & 0xff)
  }

  name(name: Name): void {
    for (let i = 0; i < name.length; i++) {
      const suffix = JSON.stringify(name.slice(i))
      const known = this.#suffixes.get(suffix)
      if (known !== undefined) {
        this.u16(0xc000 | known)
        return
      }
      // A pointer has 14 bits.
      if (this.#out.length < 0x4000) this.#suffixes.set(suffix, this.#out.length)
      const label = Buffer.from(name[i] ?? '', 'latin1')
      this.#out.push(label.length, ...label)
    }
    this.#out.push(0)
  }

  record(record: ResourceRecord): void {
    this.name(record.name)
    this.u16(record.type)
    this.u16(record.class)
    this.u16(Math.floor(record.ttlSeconds / 0x10000))
    this.u16(record.ttlSeconds % 0x10000)
    const lengthAt = this.#out.length
    this.u16(0)
    if (record.data.kind === 'cname') this.name(record.data.name)
    else
      for (const byte of record.data.kind === 'address' ? ipToBytes(record.data.ip) : record.data.bytes)
        this.#out.push(byte)
    const length = this.#out.length - lengthAt - 2
    this.#out[lengthAt] = length >> 8
    this.#out[lengthAt + 1] = length & 0xff
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#out)
  }
}

function repeat<T>(times: number, read: () => T): T[] {
  const list: T[] = []
  for (let i = 0; i < times; i++) list.push(read())
  return list
}

function wireLength(name: Name): number {
  return name.reduce((sum, label) => sum + label.length + 1, 1)
}

function flagsOf(bits: number): Flags {
  return {
    response: (bits & 0x8000) !== 0,
    opcode: (bits >> 11) & 0xf,
    authoritative: (bits & 0x0400) !== 0,
    truncated: (bits & 0x0200) !== 0,
    recursionDesired: (bits & 0x0100) !== 0,
    recursionAvailable: (bits & 0x0080) !== 0,
    rcode: bits & 0xf,
  }
}

function flagBits(flags: Flags): number {
  return (
    (flags.response ? 0x8000 : 0) |
    ((flags.opcode & 0xf) << 11) |
    (flags.authoritative ? 0x0400 : 0) |
    (flags.truncated ? 0x0200 : 0) |
    (flags.recursionDesired ? 0x0100 : 0) |
    (flags.recursionAvailable ? 0x0080 : 0) |
    (flags.rcode & 0xf)
  )
}
