import type { Flow, LiveFlow } from '@ambit/flow'
import type { Downstream } from '../request.types.ts'
import type { RequestRecord } from './request-record.ts'

/** A request under way, or a connection that is none. */
export class LiveRequest implements LiveFlow {
  readonly downstream: Downstream
  readonly record: RequestRecord
  readonly protocol: Flow['protocol']
  readonly #tell: (live: LiveRequest) => Flow
  isOver = false

  constructor(
    downstream: Downstream,
    record: RequestRecord,
    protocol: Flow['protocol'],
    tell: (live: LiveRequest) => Flow,
  ) {
    this.downstream = downstream
    this.record = record
    this.protocol = protocol
    this.#tell = tell
  }

  get progress(): number {
    const { receivedBytes, sentBytes, status, copying } = this.record
    return receivedBytes + sentBytes + status + (copying === undefined ? 0 : 1 + copying.aToB + copying.bToA)
  }

  tell(): Flow | undefined {
    return this.isOver ? undefined : this.#tell(this)
  }
}
