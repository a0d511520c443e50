/** Names in lower case and values, in turn, as they came. */
export type HeaderList = readonly string[]

export type Http1Version = '1.0' | '1.1'

export interface Fields {
  readonly headers: HeaderList
  /** Values of Connection, joined with commas; absent without such a line. */
  readonly connection: string | undefined
  /** By Content-Length; absent without one. Never beside `isChunked`. */
  readonly contentLength: number | undefined
  readonly isChunked: boolean
}

export interface MessageHead extends Fields {
  readonly version: Http1Version
  /** Whether another message may follow on the connection, as far as its sender says. */
  readonly keepsAlive: boolean
}

export interface RequestHead extends MessageHead {
  readonly kind: 'request'
  readonly method: string
  /** As sent: a path, a URL, an authority or `*`. */
  readonly target: string
  /** Neither Transfer-Encoding nor a Content-Length above 0. */
  readonly isBodiless: boolean
}

export interface ResponseHead extends MessageHead {
  readonly kind: 'response'
  /** 100 to 999. */
  readonly status: number
}
