import { type Ip, ipToBytes } from '@ambit/core'

export const TYPE = { A: 1, CNAME: 5, SOA: 6, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, OPT: 41, ANY: 255 } as const
export const RCODE = { ok: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5 } as const

const HEADER = 12
const MAX_NAME = 255
const IN = 1

export interface Question {
  readonly id: number
  /** Lower case, without the final dot. */
  readonly name: string
  readonly type: number
  readonly recursionDesired: boolean
  /** The question's own bytes, echoed so that the caller's letter case (0x20) survives. */
  readonly bytes: Uint8Array
  /** UDP size the client can take, by EDNS; undefined without. */
  readonly udpSize: number | undefined
}

export type DnsRecord = { readonly name: string; readonly ttl: number } & (
  | { readonly type: 'A' | 'AAAA'; readonly ip: Ip }
  | { readonly type: 'CNAME' | 'PTR'; readonly target: string }
  | { readonly type: 'TXT'; readonly text: string }
  | { readonly type: 'SRV'; readonly port: number; readonly target: string }
  | { readonly type: 'SOA'; readonly zone: string; readonly serial: number }
)

export type Decoded = { readonly question: Question } | { readonly id: number; readonly rcode: number } | undefined

/** Reads a query. Undefined: not even a header, no answer is due. Any other defect is answered by its code (RFC 1035). */
export function decodeQuery(message: Uint8Array): Decoded {
  if (message.length < HEADER) return undefined
  const view = new DataView(message.buffer, message.byteOffset, message.length)
  const id = view.getUint16(0)
  const flags = view.getUint16(2)
  if ((flags & 0x8000) !== 0) return undefined
  if (((flags >> 11) & 0xf) !== 0) return { id, rcode: RCODE.notImplemented }
  if (view.getUint16(4) !== 1) return { id, rcode: RCODE.formatError }
  const labels: string[] = []
  let at = HEADER
  for (;;) {
    const length = message[at]
    // A pointer makes no sense in the first name.
    if (length === undefined || length > 63) return { id, rcode: RCODE.formatError }
    at++
    if (length === 0) break
    if (at + length > message.length || at - HEADER + length > MAX_NAME) return { id, rcode: RCODE.formatError }
    labels.push(
      Buffer.from(message.subarray(at, at + length))
        .toString('latin1')
        .toLowerCase(),
    )
    at += length
  }
  if (at + 4 > message.length) return { id, rcode: RCODE.formatError }
  const type = view.getUint16(at)
  if (view.getUint16(at + 2) !== IN) return { id, rcode: RCODE.refused }
  const bytes = message.slice(HEADER, at + 4)
  const udpSize = ednsSize(view, at + 4, view.getUint16(10))
  return { question: { id, name: labels.join('.'), type, recursionDesired: (flags & 0x100) !== 0, bytes, udpSize } }
}

/** Clients put the OPT record alone in the additional section; anything else is passed over. */
function ednsSize(view: DataView, at: number, additional: number): number | undefined {
  if (additional !== 1 || at + 11 > view.byteLength) return undefined
  if (view.getUint8(at) !== 0 || view.getUint16(at + 1) !== TYPE.OPT) return undefined
  return Math.max(512, view.getUint16(at + 3))
}

export interface Answer {
  readonly rcode: number
  readonly answers: readonly DnsRecord[]
  readonly authority: readonly DnsRecord[]
  readonly additional: readonly DnsRecord[]
}

/** Writes the answer, at most `limit` bytes: what doesn't fit is left out and TC says so. */
export function encodeAnswer(question: Question, answer: Answer, limit: number): Buffer {
  const edns =
    question.udpSize === undefined ? Buffer.alloc(0) : Buffer.from([0, 0, TYPE.OPT, 4, 208, 0, 0, 0, 0, 0, 0])
  const sections = [answer.answers, answer.authority, answer.additional].map((list) => list.map(encodeRecord))
  const counts = [0, 0, 0]
  const parts: Uint8Array[] = [question.bytes]
  let size = HEADER + question.bytes.length + edns.length
  let truncated = false
  for (const [index, section] of sections.entries()) {
    for (const record of section) {
      if (size + record.length > limit) {
        truncated ||= index === 0
        break
      }
      parts.push(record)
      size += record.length
      counts[index] = (counts[index] ?? 0) + 1
    }
  }
  const header = Buffer.alloc(HEADER)
  header.writeUInt16BE(question.id, 0)
  // QR, AA, RA; recursion is "available" so that stub resolvers don't give up on us.
  header.writeUInt16BE(0x8480 | (truncated ? 0x200 : 0) | (question.recursionDesired ? 0x100 : 0) | answer.rcode, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(counts[0] ?? 0, 6)
  header.writeUInt16BE(counts[1] ?? 0, 8)
  header.writeUInt16BE((counts[2] ?? 0) + (edns.length > 0 ? 1 : 0), 10)
  return Buffer.concat([header, ...parts, edns])
}

/** The answer to a query that could not be read: header only. */
export function encodeFailure(id: number, rcode: number): Buffer {
  const header = Buffer.alloc(HEADER)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE(0x8080 | rcode, 2)
  return header
}

function encodeRecord(record: DnsRecord): Buffer {
  const data = recordData(record)
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(TYPE[record.type], 0)
  fixed.writeUInt16BE(IN, 2)
  fixed.writeUInt32BE(record.ttl, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([encodeName(record.name), fixed, data])
}

function recordData(record: DnsRecord): Buffer {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return Buffer.from(ipToBytes(record.ip))
    case 'CNAME':
    case 'PTR':
      return encodeName(record.target)
    case 'TXT':
      return Buffer.concat([Buffer.from([Buffer.byteLength(record.text)]), Buffer.from(record.text)])
    case 'SRV': {
      const fixed = Buffer.alloc(6)
      fixed.writeUInt16BE(100, 2)
      fixed.writeUInt16BE(record.port, 4)
      return Buffer.concat([fixed, encodeName(record.target)])
    }
    default: {
      const numbers = Buffer.alloc(20)
      for (const [index, value] of [record.serial, 7200, 1800, 86_400, record.ttl].entries())
        numbers.writeUInt32BE(value, index * 4)
      return Buffer.concat([encodeName(`ns.dns.${record.zone}`), encodeName(`hostmaster.${record.zone}`), numbers])
    }
  }
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '')
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
    Buffer.from([0]),
  ])
}
