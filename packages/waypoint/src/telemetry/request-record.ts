import type { SocketAddress } from '@ambit/core'
import type { RequestFacts, RequestVerdict } from '@ambit/policy'
import type { HeaderList } from '@ambit/route'
import type { Service, Workload } from '@ambit/state'
import type { ResponseFlag } from './response-flags.ts'

/** What policy was asked, and what it said. */
export interface Judged {
  readonly facts: RequestFacts
  /** Names of those of the destination. */
  readonly policies: readonly string[]
  readonly verdict: RequestVerdict
}

/** What is to be told about one request when it is over; filled while it is under way. */
export class RequestRecord {
  readonly startedMs: number
  /** Monotonic. */
  readonly started: number
  method = ''
  /** With query, as the client sent it. */
  path = ''
  protocol = ''
  authority = ''
  requestHeaders: HeaderList = []
  /** The client's, or one that was made for it. */
  requestId = ''
  isOwnRequestId = false
  /** What flows call it, where it has no id of our own making. */
  flowNumber: number | undefined
  isGrpc = false
  /** 0 until something was answered. */
  status = 0
  grpcStatus: number | undefined
  details: string | undefined
  connectionDetails: string | undefined
  transportFailure: string | undefined
  receivedBytes = 0
  sentBytes = 0
  requestHeaderBytes = 0
  responseHeaderBytes = 0
  requestMessages = 0
  responseMessages = 0
  /** Milliseconds the endpoint took to the head of its answer. */
  upstreamMs: number | undefined
  upstreamHost: SocketAddress | undefined
  upstreamCluster: string | undefined
  routeName: string | undefined
  /** The service it went to, and its endpoint. */
  service: Service | undefined
  endpoint: Workload | undefined
  /** The service that the client addressed, where a tunnel says so. */
  addressed: Service | undefined
  /** Of the service, where the route chose it. */
  servicePort: number | undefined
  /** The next hop is no endpoint but this waypoint. */
  waypoint: Workload | undefined
  judged: Judged | undefined
  /** Bytes of a connection under way, until they are counted. */
  copying: { readonly aToB: number; readonly bToA: number } | undefined
  readonly #flags = new Set<ResponseFlag>()

  constructor(now: { readonly wallMs: number; readonly monotonicMs: number }) {
    this.startedMs = now.wallMs
    this.started = now.monotonicMs
  }

  flag(flag: ResponseFlag): void {
    this.#flags.add(flag)
  }

  has(flag: ResponseFlag): boolean {
    return this.#flags.has(flag)
  }

  /** Forgets how earlier attempts failed. */
  clearFlags(): void {
    this.#flags.clear()
  }

  /** `-` when there is nothing to say. */
  get flags(): string {
    return this.#flags.size === 0 ? '-' : [...this.#flags].join(',')
  }
}
