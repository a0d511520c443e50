/** One stream of a connection; its owner is whoever reads it. Only the connection changes the rest. */
export class Http2Stream<Owner> {
  readonly id: number
  owner: Owner | undefined
  /** We have sent END_STREAM. */
  localEnded = false
  /** The peer has. */
  remoteEnded = false
  /** Gone: both have, or it was reset. */
  closed = false
  /** The first block of headers that is not an interim answer has come. */
  headersSeen = false
  /** What may still be sent; below zero after the peer lowered its initial window. */
  sendWindow: number
  /** What the peer may still send. */
  receiveWindow: number
  /** Received and not told as consumed. */
  unconsumed = 0
  /** Consumed and not told the peer. */
  credit = 0
  /** `write` took less than all. */
  wantsWindow = false

  constructor(id: number, sendWindow: number, receiveWindow: number) {
    this.id = id
    this.sendWindow = sendWindow
    this.receiveWindow = receiveWindow
  }
}
