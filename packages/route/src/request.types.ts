/** What routes look at. */
export interface RequestView {
  readonly method: string
  /** Normalised, without query: the same that policies saw. */
  readonly path: string
  /** As sent, without the question mark; empty when there is none. */
  readonly query: string
  /** `http` or `https`; undefined: not known, and no condition on it holds. */
  readonly scheme?: string | undefined
  /** Of the client's identity; undefined: it has none. */
  readonly sourceNamespace?: string | undefined
  /** By lower-case name; the lines of one name joined with commas. `host` is the authority. */
  header(name: string): string | undefined
}

/** Names and values in turn, as Node's `rawHeaders`; names in any case. Never holds pseudo headers. */
export type HeaderList = readonly string[]

/** What routes change about a request. */
export interface RequestTarget {
  /** Host or `:authority`. */
  readonly authority: string
  readonly path: string
  /** Without the question mark. */
  readonly query: string
  readonly headers: HeaderList
}
