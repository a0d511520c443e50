import type { Duplex } from 'node:stream'
import type { HeaderList } from '@ambit/route'
import type { BodySource, BodyTarget } from './body.types.ts'

export type HttpVersion = 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2'

/** A request as it arrived, whatever protocol carried it. */
export interface RequestHead {
  readonly version: HttpVersion
  readonly method: string
  readonly scheme: string
  /** Host or `:authority`; that of an absolute request target wins (RFC 9112 §3.2.2). */
  readonly authority: string
  /** Path and query as sent; empty for CONNECT. */
  readonly target: string
  /** Names in lower case, without what is of one hop only and without `host`. */
  readonly headers: HeaderList
  /** Known to come without body. */
  readonly isBodiless: boolean
  /** What the connection is to become: `websocket`, ..., or `CONNECT`. */
  readonly upgrade: string | undefined
}

export interface ResponseHead {
  readonly status: number
  /** Names in lower case. */
  readonly headers: HeaderList
}

/** The client's side of one request: what it sent, and the way to answer it once. */
export interface Exchange {
  readonly head: RequestHead
  readonly body: BodySource
  /** Trailers of the request, when its body has ended. */
  requestTrailers(): HeaderList
  /** After `respond`. */
  readonly out: BodyTarget
  /** The client left before it was answered in full. */
  readonly isGone: boolean
  onGone(listener: () => void): void
  /** The body is wanted now: a client that waits for 100 Continue is told. */
  wantBody(): void
  /** An interim answer, 1xx other than 101. */
  inform(head: ResponseHead): void
  /** Sends the head. Nothing follows when `bodiless`; otherwise write to {@link out} and then {@link end}. */
  respond(head: ResponseHead, options: { readonly bodiless: boolean }): void
  end(trailers: HeaderList): void
  /** Cuts the answer short, so that the client does not take it for complete. */
  reset(): void
  /** Answers that the connection changes its protocol, and hands over its bytes. Only for a request with `upgrade`. */
  upgraded(head: ResponseHead): Duplex
}
