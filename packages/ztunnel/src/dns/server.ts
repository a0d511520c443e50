import type { Socket as UdpSocket } from 'node:dgram'
import type { Server, Socket } from 'node:net'
import type { Clock, Closable, Ip, Logger, Metrics, SocketAddress, SocketFactory } from '@ambit/core'
import { ip, messageOf, parseIp } from '@ambit/core'
import type { Workload } from '@ambit/state'
import {
  DNS_DRAIN_MS,
  DNS_MAX_IN_FLIGHT,
  DNS_MAX_TCP_CONNECTIONS,
  DNS_MAX_TCP_MESSAGE,
  DNS_TCP_IDLE_MS,
} from '../limits.ts'
import { untilRead } from '../until-read.ts'
import { type AnswerOptions, answerQuestion, type NameDirectory } from './answer.ts'
import type { DnsForwarder, DnsTransport } from './forwarder.ts'
import { framed, TcpFramer } from './forwarder.ts'
import { encodeFormErr, encodeReply, MIN_UDP_PAYLOAD, udpPayloadOf } from './reply.ts'
import { decodeMessage, type Message, presentName, RCODE, type ResourceRecord, TYPE } from './wire.ts'

export interface DnsMetrics {
  readonly requests: ReturnType<Metrics['counter']>
  readonly upstreamRequests: ReturnType<Metrics['counter']>
  readonly upstreamFailures: ReturnType<Metrics['counter']>
  readonly upstreamDuration: ReturnType<Metrics['histogram']>
}

const LABELS = ['request_query_type', 'request_protocol', 'source_canonical_service', 'source_canonical_revision']

/** Registers the DNS families of Istio's ztunnel. */
export function dnsMetrics(metrics: Metrics): DnsMetrics {
  const labelNames = LABELS
  return {
    requests: metrics.counter({ name: 'istio_dns_requests', help: 'DNS queries received', labelNames }),
    upstreamRequests: metrics.counter({
      name: 'istio_dns_upstream_requests',
      help: 'DNS queries forwarded',
      labelNames,
    }),
    upstreamFailures: metrics.counter({
      name: 'istio_dns_upstream_failures',
      help: 'Forwarded DNS queries no name server answered',
      labelNames,
    }),
    upstreamDuration: metrics.histogram({
      name: 'istio_dns_upstream_request_duration_seconds',
      help: 'Time name servers took to answer',
      labelNames,
      buckets: [0.0005, 0.001, 0.01, 0.1, 1, 5],
    }),
  }
}

export interface DnsServerComponents {
  readonly sockets: SocketFactory
  readonly directory: NameDirectory
  readonly forwarder: Pick<DnsForwarder, 'forward'>
  /** The workload whose pod this is; undefined when it does not become known in time. */
  readonly client: () => Promise<Workload | undefined>
  readonly metrics: DnsMetrics
  readonly clock: Clock
  readonly logger: Logger
}

export interface DnsServerOptions extends AnswerOptions {
  readonly port: number
  readonly addresses: readonly Ip[]
}

/** The DNS proxy of one pod: answers for services of the mesh, passes on everything else. */
export class DnsServer implements Closable {
  readonly #components: DnsServerComponents
  readonly #options: DnsServerOptions
  readonly #stop = new AbortController()
  readonly #udp: UdpSocket[] = []
  readonly #tcp: Server[] = []
  readonly #streams = new Set<Socket>()
  #inFlight = 0
  #onIdle: (() => void) | undefined
  #closing: Promise<void> | undefined

  private constructor(components: DnsServerComponents, options: DnsServerOptions) {
    this.#components = components
    this.#options = options
  }

  /** Opens all sockets, or none. */
  static async start(components: DnsServerComponents, options: DnsServerOptions): Promise<DnsServer> {
    const server = new DnsServer(components, options)
    try {
      for (const address of options.addresses) await server.#listen(address)
      return server
    } catch (error) {
      await server.close()
      throw error
    }
  }

  /** The addresses really bound, for port 0. */
  get bound(): readonly SocketAddress[] {
    return this.#udp.map((socket) => {
      const { address, port } = socket.address()
      return { ip: parseIp(address) ?? ip('127.0.0.1'), port }
    })
  }

  /** Queries that are here already are answered first: a program whose query is lost waits five seconds to ask again. */
  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    for (const socket of [...this.#tcp, ...this.#udp]) this.#components.sockets.preferNewer(socket)
    await untilRead()
    for (const server of this.#tcp) server.close()
    await this.#drained()
    this.#stop.abort(new Error('DNS proxy is closing'))
    for (const socket of this.#udp) socket.close()
    for (const stream of this.#streams) stream.destroy()
  }

  /** Resolves when nothing that was sent before is without its answer, or after a while. */
  async #drained(): Promise<void> {
    const late = Promise.withResolvers<void>()
    using _deadline = this.#components.clock.after(DNS_DRAIN_MS, late.resolve)
    if (this.#inFlight === 0) return
    const idle = Promise.withResolvers<void>()
    this.#onIdle = idle.resolve
    await Promise.race([idle.promise, late.promise])
  }

  async #listen(address: Ip): Promise<void> {
    const { sockets, logger } = this.#components
    const udp = await sockets.bindUdp({ ip: address, port: this.#options.port })
    this.#udp.push(udp)
    udp.on('error', (error) => logger.warn('DNS socket failed', { error: messageOf(error) }))
    udp.on('message', (bytes, from) => {
      // Sent through a raw socket; nothing can be sent back there, and Node throws at the attempt.
      if (from.port === 0) return
      void this.#serve(bytes, 'udp', (reply) => {
        if (!this.#stop.signal.aborted) udp.send(reply, from.port, from.address, () => undefined)
      })
    })
    // Both transports on one port, also when the system picked it.
    const port = udp.address().port
    this.#tcp.push(
      await sockets.listen({ ip: address, port, reusePort: true, onConnection: (stream) => this.#onStream(stream) }),
    )
  }

  #onStream(stream: Socket): void {
    stream.on('error', () => undefined)
    if (this.#streams.size >= DNS_MAX_TCP_CONNECTIONS || this.#stop.signal.aborted) {
      stream.destroy()
      return
    }
    this.#streams.add(stream)
    stream.setTimeout(DNS_TCP_IDLE_MS, () => stream.destroy())
    stream.on('close', () => this.#streams.delete(stream))
    stream.on('drain', () => stream.resume())
    const framer = new TcpFramer()
    stream.on('data', (chunk: Buffer) => {
      for (const bytes of framer.push(chunk)) {
        void this.#serve(bytes, 'tcp', (reply) => {
          // Who asks and does not read is not asked for more: answers waiting for it would be without bound.
          if (!stream.destroyed && !stream.write(framed(reply))) stream.pause()
        })
      }
    })
  }

  async #serve(bytes: Uint8Array, transport: DnsTransport, send: (reply: Uint8Array) => void): Promise<void> {
    const query = decodeMessage(bytes)
    if (query === undefined) {
      const reply = encodeFormErr(bytes)
      if (reply !== undefined) send(reply)
      return
    }
    const limit = transport === 'tcp' ? DNS_MAX_TCP_MESSAGE : (udpPayloadOf(query) ?? MIN_UDP_PAYLOAD)
    const refused = refusalOf(query, this.#inFlight)
    if (refused !== undefined) {
      send(encodeReply(query, { rcode: refused, limit }))
      return
    }
    this.#inFlight++
    try {
      send(await this.#reply(query, bytes, transport, limit))
    } catch (error) {
      if (this.#stop.signal.aborted) return
      this.#components.logger.debug('DNS query failed', { error: messageOf(error) })
      send(encodeReply(query, { rcode: RCODE.SERVFAIL, limit }))
    } finally {
      this.#inFlight--
      if (this.#inFlight === 0) this.#onIdle?.()
    }
  }

  async #reply(query: Message, bytes: Uint8Array, transport: DnsTransport, limit: number): Promise<Uint8Array> {
    const { client, directory, metrics } = this.#components
    const [question] = query.questions
    if (question === undefined) return encodeReply(query, { rcode: RCODE.FORMERR, limit })
    const workload = await client()
    const labels = {
      request_query_type: typeName(question.type),
      request_protocol: transport,
      source_canonical_service: workload?.canonicalName || 'unknown',
      source_canonical_revision: workload?.canonicalRevision || 'unknown',
    }
    metrics.requests.add(labels)
    if (workload === undefined) return encodeReply(query, { rcode: RCODE.SERVFAIL, limit })
    const answer = answerQuestion(question, workload, directory, this.#options)
    if (answer.kind === 'forward') {
      this.#log(workload, question.name, 'forwarded')
      return await this.#forward(bytes, transport, labels)
    }
    this.#log(workload, question.name, answer.service.hostname, answer.records)
    return encodeReply(query, { rcode: RCODE.NOERROR, authoritative: true, answers: answer.records, limit })
  }

  async #forward(bytes: Uint8Array, transport: DnsTransport, labels: Record<string, string>): Promise<Uint8Array> {
    const { forwarder, metrics, clock } = this.#components
    metrics.upstreamRequests.add(labels)
    const started = clock.monotonic()
    try {
      const answer = await forwarder.forward(bytes, transport, this.#stop.signal)
      metrics.upstreamDuration.observe(labels, (clock.monotonic() - started) / 1000)
      return answer
    } catch (error) {
      metrics.upstreamFailures.add(labels)
      throw error
    }
  }

  #log(workload: Workload, name: readonly string[], domain: string, records?: readonly ResourceRecord[]): void {
    const { logger } = this.#components
    if (!logger.enabled('debug')) return
    logger.debug(domain === 'forwarded' ? 'forwarded' : 'success', {
      'src.workload': workload.name,
      'src.namespace': workload.namespace,
      query: presentName(name),
      domain: domain === 'forwarded' ? undefined : domain,
      result: domain === 'forwarded' ? 'forward' : 'local',
      endpoints: records?.length,
    })
  }
}

/** Why a well-formed message is not worked on, as a response code. */
function refusalOf(query: Message, inFlight: number): number | undefined {
  if (query.flags.response) return RCODE.FORMERR
  if (query.flags.opcode !== 0) return RCODE.NOTIMP
  if (query.questions.length !== 1) return RCODE.FORMERR
  return inFlight >= DNS_MAX_IN_FLIGHT ? RCODE.SERVFAIL : undefined
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [TYPE.A]: 'A',
  [TYPE.AAAA]: 'AAAA',
  [TYPE.CNAME]: 'CNAME',
  2: 'NS',
  6: 'SOA',
  12: 'PTR',
  15: 'MX',
  16: 'TXT',
  33: 'SRV',
  64: 'SVCB',
  65: 'HTTPS',
  255: 'ANY',
}

/** Rare types share one label, as the type is the client's to choose. */
function typeName(type: number): string {
  return TYPE_NAMES[type] ?? 'OTHER'
}
