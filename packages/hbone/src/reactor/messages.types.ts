import type { MessagePort } from 'node:worker_threads'
import type { SocketAddress } from '@ambit/core'
import type { TlsPeer } from '@ambit/linux'

/** What is called by a number lives in the worker. Numbers are given once: odd ones by the main thread, even ones by the worker. */
export type HandleId = number

/** Names and values in turn, pseudo-headers first. */
export type Headers = readonly string[]

export interface ContextCommand {
  readonly kind: 'context'
  readonly id: HandleId
  readonly chainPem: string
  readonly rootsPem: string
  /** PKCS #8. The buffer is transferred, so that no copy stays behind. */
  readonly privateKeyDer: Uint8Array<ArrayBuffer>
  readonly groups: string
}

export interface SessionOptions {
  readonly isServer: boolean
  readonly maxConcurrentStreams: number
  readonly maxHeaderListBytes: number
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
}

/** Two commands in one: what is asked for, and the copy that begins when it is there. */
interface JoinBase {
  /** Of the copy; a `cut` of it ends either. */
  readonly id: HandleId
  readonly slot: number
  readonly prefix: Uint8Array | undefined
}

/** What the main thread decides. Descriptors in it belong to the worker from then on. */
export type Command =
  | ContextCommand
  | { readonly kind: 'drop-context'; readonly id: HandleId }
  | { readonly kind: 'listen'; readonly id: HandleId; readonly fd: number }
  | { readonly kind: 'adopt'; readonly id: HandleId; readonly fd: number }
  | {
      readonly kind: 'connect'
      readonly id: HandleId
      readonly fd: number
      readonly to: SocketAddress
      readonly timeoutMs: number
    }
  | {
      readonly kind: 'secure'
      readonly id: HandleId
      readonly context: HandleId
      readonly isServer: boolean
      readonly timeoutMs: number
    }
  /** The peer is the right one: HTTP/2 begins. */
  | { readonly kind: 'session'; readonly id: HandleId; readonly options: SessionOptions }
  | { readonly kind: 'request'; readonly id: HandleId; readonly session: HandleId; readonly headers: Headers }
  | { readonly kind: 'answer'; readonly id: HandleId; readonly headers: Headers; readonly isEnd: boolean }
  | {
      readonly kind: 'copy'
      readonly id: HandleId
      readonly a: HandleId
      readonly b: HandleId
      /** Where in the shared counters both directions are counted. */
      readonly slot: number
      readonly prefix: Uint8Array | undefined
    }
  /** Asks for a tunnel, and copies when it is accepted; otherwise the connection `a` is left as it is. */
  | (JoinBase & {
      readonly kind: 'join-tunnel'
      readonly a: HandleId
      readonly session: HandleId
      /** The new tunnel. */
      readonly b: HandleId
      readonly headers: Headers
    })
  /** Connects, and copies when that is done: a tunnel of the peer's is answered 200 before. When not, `a` is left as it is. */
  | (JoinBase & {
      readonly kind: 'join-connection'
      readonly a: HandleId
      /** The new connection. */
      readonly b: HandleId
      readonly fd: number
      readonly to: SocketAddress
      readonly timeoutMs: number
      /** With 200, when `a` is a tunnel. */
      readonly headers: Headers
    })
  /** RST or RST_STREAM CANCEL, of a copy on both sides; a session loses its streams. */
  | { readonly kind: 'cut'; readonly id: HandleId }
  /** RST of a connection that nothing was asked of, as soon as its peer has said something, at the latest after so long. */
  | { readonly kind: 'refuse'; readonly id: HandleId; readonly holdMs: number }
  /** A session takes nothing new and ends with its last stream; a listener or connection ends at once. */
  | { readonly kind: 'close'; readonly id: HandleId }
  /** GOAWAY: first "open nothing new", then, with `isLast`, what the last stream served was. */
  | { readonly kind: 'drain'; readonly id: HandleId; readonly isLast: boolean }
  | { readonly kind: 'ping'; readonly id: HandleId }
  | { readonly kind: 'facts' }
  | { readonly kind: 'crash' }
  | { readonly kind: 'stop' }

/** Native objects and descriptors of a worker. */
export interface ReactorFacts {
  readonly handles: number
  readonly descriptors: number
  readonly timers: number
  readonly contexts: number
  readonly sessions: number
  readonly parsed: number
  readonly outputBuffers: number
}

/** What happened in the worker. */
export type ReactorEvent =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'accepted'
      readonly id: HandleId
      readonly listener: HandleId
      readonly remote: SocketAddress
      readonly local: SocketAddress
      readonly original: SocketAddress | undefined
    }
  | { readonly kind: 'connected'; readonly id: HandleId; readonly local: SocketAddress }
  | { readonly kind: 'secured'; readonly id: HandleId; readonly peer: TlsPeer }
  | { readonly kind: 'settled'; readonly id: HandleId; readonly maxConcurrentStreams: number }
  | { readonly kind: 'goaway'; readonly id: HandleId }
  /** A copy over this connection moves bulk, or did until now. */
  | { readonly kind: 'bulk'; readonly id: HandleId; readonly isOver: boolean }
  | { readonly kind: 'pong'; readonly id: HandleId }
  | {
      readonly kind: 'requested'
      readonly id: HandleId
      readonly session: HandleId
      readonly headers: Headers
    }
  | { readonly kind: 'answered'; readonly id: HandleId; readonly headers: Headers }
  /** The handle is of no more use, and why if not by our own doing or in order. */
  | {
      readonly kind: 'gone'
      readonly id: HandleId
      readonly failure: string | undefined
      /** Of the system call or of RST_STREAM. */
      readonly code: string | number | undefined
    }
  /** What was asked for is there, and bytes flow. */
  | {
      readonly kind: 'joined'
      readonly id: HandleId
      /** Of the tunnel's answer. */
      readonly headers: Headers | undefined
      /** Of the new connection. */
      readonly local: SocketAddress | undefined
    }
  /** It is not; nothing is copied, and the copy's number is over. */
  | {
      readonly kind: 'unjoined'
      readonly id: HandleId
      /** Of an answer that was no acceptance. */
      readonly headers: Headers | undefined
      readonly failure: string
      readonly code: string | number | undefined
    }
  | {
      readonly kind: 'copied'
      readonly id: HandleId
      readonly aToB: number
      readonly bToA: number
      readonly failure: string | undefined
      readonly code: number | undefined
    }
  | { readonly kind: 'facts'; readonly facts: ReactorFacts }
  | { readonly kind: 'stopped'; readonly facts: ReactorFacts }

/** What a worker is started with. */
export interface ReactorWorkerData {
  readonly port: MessagePort
  /** An eventfd, which stays the main thread's. */
  readonly wakeDescriptor: number
  /** See `STATE` of the command channel. */
  readonly state: Int32Array<SharedArrayBuffer>
  /** Two a slot: bytes from a to b, from b to a. */
  readonly counters: Float64Array<SharedArrayBuffer>
}
