import type { Duplex } from 'node:stream'
import type { HeaderList } from '@ambit/route'
import type { BodySource, BodyTarget } from '../http/body.types.ts'
import type { ResponseHead } from '../http/exchange.types.ts'

/** A request as it leaves. */
export interface UpstreamRequest {
  readonly method: string
  readonly scheme: string
  readonly authority: string
  /** Path and query; empty for CONNECT. */
  readonly target: string
  /** Without Host, pseudo headers and what is of one hop only. */
  readonly headers: HeaderList
  readonly isBodiless: boolean
  readonly upgrade: string | undefined
}

export interface UpstreamAnswer extends ResponseHead {
  /** Nothing follows the head, not even an empty body. */
  readonly bodiless: boolean
  readonly body: BodySource
  /** Known when the body has ended. */
  trailers(): HeaderList
  /** The connection's bytes, when the endpoint changed its protocol as asked. */
  readonly upgraded: Duplex | undefined
}

/** One request on its way to an endpoint. */
export interface UpstreamCall {
  /** Rejects with an UpstreamError. Marked as handled. */
  readonly answer: Promise<UpstreamAnswer>
  readonly body: BodyTarget
  endBody(trailers: HeaderList): void
  /** Gives up; nothing is reported any more. */
  cancel(): void
}

export interface CallEvents {
  /** An interim answer. */
  readonly onInform: (head: ResponseHead) => void
}
