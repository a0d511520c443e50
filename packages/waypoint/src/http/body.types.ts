/** Who takes a body as it comes. */
export interface BodyReader {
  onData(chunk: Buffer): void
  onEnd(): void
  /** It ended before its end. */
  onFailure(error: Error | undefined): void
}

/** A body on its way in: nothing comes before it is read, and nothing while it is paused. */
export interface BodySource {
  /** Once. The first may come before this returns. */
  read(reader: BodyReader): void
  pause(): void
  resume(): void
  /** Nobody wants it, or the rest of it: it is read over. */
  discard(): void
}

/** Where a body goes. */
export interface BodyTarget {
  /** False when it has enough for now; {@link onDrain} tells when it wants more. What is written to one that is over is dropped. */
  write(chunk: Buffer): boolean
  /** Bytes that wait to be sent. */
  readonly backlog: number
  /** In place of the listener before. */
  onDrain(listener: () => void): void
}
