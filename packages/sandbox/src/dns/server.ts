import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { type Closable, type Logger, messageOf } from '@ambit/core'
import { LIMITS } from '../limits.ts'
import { type Answer, decodeQuery, encodeAnswer, encodeFailure } from './message.ts'
import { answerQuery, type ZoneSource } from './zone.ts'

const MAX_MESSAGE = 65_535

/** The cluster's name server, UDP and TCP. */
export class DnsServer implements Closable {
  readonly #source: ZoneSource
  readonly #logger: Logger
  readonly #connections = new Set<Socket>()
  #udp: UdpSocket | undefined
  #tcp: Server | undefined
  #turn = 0

  constructor(components: { readonly source: ZoneSource; readonly logger: Logger }) {
    this.#source = components.source
    this.#logger = components.logger
  }

  /** Listens on both protocols; port 0 lets the system choose (one number for both is not promised then). */
  async listen(address: string, port: number): Promise<{ readonly udp: number; readonly tcp: number }> {
    const udp = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4' })
    this.#udp = udp
    udp.on('message', (message, peer) => {
      const answer = this.#answer(message, true)
      if (answer !== undefined) udp.send(answer, peer.port, peer.address, () => undefined)
    })
    udp.on('error', (error) => this.#logger.warn('DNS socket', { error: messageOf(error) }))
    udp.bind(port, address)
    await once(udp, 'listening')
    const tcp = createServer((socket) => this.#serve(socket))
    this.#tcp = tcp
    tcp.maxConnections = LIMITS.dnsTcpConnections
    tcp.listen(port, address)
    await once(tcp, 'listening')
    const bound = tcp.address()
    return { udp: udp.address().port, tcp: typeof bound === 'object' && bound !== null ? bound.port : port }
  }

  async close(): Promise<void> {
    this.#udp?.close()
    for (const socket of this.#connections) socket.destroy()
    const tcp = this.#tcp
    if (tcp !== undefined) await new Promise<void>((resolve) => tcp.close(() => resolve()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #answer(message: Uint8Array, udp: boolean): Buffer | undefined {
    const decoded = decodeQuery(message)
    if (decoded === undefined) return undefined
    if (!('question' in decoded)) return encodeFailure(decoded.id, decoded.rcode)
    const { question } = decoded
    const udpLimit = Math.min(question.udpSize ?? LIMITS.dnsUdpBytes, LIMITS.dnsEdnsBytes)
    const answer = inTurn(answerQuery(question.name, question.type, this.#source), this.#turn++)
    return encodeAnswer(question, answer, udp ? udpLimit : MAX_MESSAGE)
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket)
    let buffered = Buffer.alloc(0)
    socket.setTimeout(LIMITS.dnsTcpIdleMs, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#connections.delete(socket))
    socket.on('drain', () => socket.resume())
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk])
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        const end = 2 + buffered.readUInt16BE(0)
        const answer = this.#answer(buffered.subarray(2, end), false)
        buffered = buffered.subarray(end)
        if (answer === undefined) {
          socket.destroy()
          return
        }
        const length = Buffer.alloc(2)
        length.writeUInt16BE(answer.length)
        // Who asks and does not read is not asked for more: answers waiting for it would be without bound.
        if (!socket.write(Buffer.concat([length, answer]))) socket.pause()
      }
    })
  }
}

/** Clients take the first of several addresses: it is another one each time. Aliases stay in front. */
function inTurn(answer: Answer, turn: number): Answer {
  const aliases = answer.answers.filter(({ type }) => type === 'CNAME')
  const others = answer.answers.filter(({ type }) => type !== 'CNAME')
  if (others.length < 2) return answer
  const first = turn % others.length
  return { ...answer, answers: [...aliases, ...others.slice(first), ...others.slice(0, first)] }
}
