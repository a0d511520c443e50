import type { Message, ResourceRecord } from './wire.ts'
import { encodeMessage, RCODE, TYPE } from './wire.ts'

/** Largest UDP payload of clients without EDNS, bytes (RFC 1035), and the least anybody may announce. */
export const MIN_UDP_PAYLOAD = 512

/** Largest UDP payload we send or announce, bytes; beyond it answers are truncated. */
export const MAX_UDP_PAYLOAD = 4096

/** The OPT record's `requestor's UDP payload size` sits where other records have their class (RFC 6891 §6.1.2). */
export function udpPayloadOf(query: Message): number | undefined {
  const opt = query.additionals.find((record) => record.type === TYPE.OPT)
  return opt === undefined ? undefined : Math.min(MAX_UDP_PAYLOAD, Math.max(MIN_UDP_PAYLOAD, opt.class))
}

export interface ReplyOptions {
  readonly rcode: number
  readonly authoritative?: boolean
  readonly answers?: readonly ResourceRecord[]
  /** Bytes the transport can carry. */
  readonly limit: number
}

/** An answer of our own, cut with TC when it does not fit. */
export function encodeReply(
  query: Message,
  { rcode, authoritative = false, answers = [], limit }: ReplyOptions,
): Uint8Array {
  for (let count = answers.length; ; count = Math.floor(count / 2)) {
    const bytes = encodeMessage({
      id: query.id,
      flags: {
        response: true,
        opcode: query.flags.opcode,
        authoritative,
        truncated: count < answers.length,
        recursionDesired: query.flags.recursionDesired,
        recursionAvailable: true,
        rcode,
      },
      questions: query.questions,
      answers: answers.slice(0, count),
      authorities: [],
      additionals: ednsOf(query),
    })
    if (bytes.length <= limit || count === 0) return bytes
  }
}

/** The least answer to a message that could not be read but has an id. */
export function encodeFormErr(bytes: Uint8Array): Uint8Array | undefined {
  const [high, low, flags] = bytes
  // Too short for a header, or an answer itself: answering could start a loop between two servers.
  if (high === undefined || low === undefined || flags === undefined || bytes.length < 12 || (flags & 0x80) !== 0)
    return undefined
  return Uint8Array.from([high, low, 0x80 | (flags & 0x79), 0x80 | RCODE.FORMERR, 0, 0, 0, 0, 0, 0, 0, 0])
}

function ednsOf(query: Message): readonly ResourceRecord[] {
  const payload = udpPayloadOf(query)
  if (payload === undefined) return []
  return [
    { name: [], type: TYPE.OPT, class: payload, ttlSeconds: 0, data: { kind: 'opaque', bytes: new Uint8Array() } },
  ]
}
