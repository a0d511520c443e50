import { fstatSync } from 'node:fs'
import { zdspb } from '@ambit/api'
import { closeAll, SeqpacketConnection } from '@ambit/linux'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'

export interface SeenRequest {
  readonly kind: string
  readonly uid: string
  readonly name?: string
  /** Inode of the namespace that came along. */
  readonly netns?: number
}

/** The other side of ZDS, as ztunnel plays it: greets, answers every request, remembers what it was asked. */
export class ScriptedZtunnel implements Disposable {
  readonly seen: SeenRequest[] = []
  readonly #connection: SeqpacketConnection
  readonly #waiting = new Set<{ test: () => boolean; resolve: () => void }>()
  /** Error text to answer with, by uid; '' is success. */
  readonly refusals = new Map<string, string>()
  /** Awaited before each answer. */
  beforeAnswer: (request: SeenRequest) => Promise<void> = () => Promise.resolve()
  /** Answer nothing while false. */
  answering = true
  readonly ended: Promise<void>

  private constructor(connection: SeqpacketConnection) {
    this.#connection = connection
    this.ended = this.#serve()
  }

  static async connect(path: string, version: zdspb.Version = zdspb.Version.V1): Promise<ScriptedZtunnel> {
    const connection = await SeqpacketConnection.connect(path)
    await connection.send(toBinary(zdspb.ZdsHelloSchema, create(zdspb.ZdsHelloSchema, { version })))
    return new ScriptedZtunnel(connection)
  }

  sendRaw(bytes: Uint8Array): Promise<void> {
    return this.#connection.send(bytes)
  }

  /** Resolves once a request of that kind, and for that pod if given, has been seen. */
  async saw(kind: string, uid?: string): Promise<SeenRequest> {
    const find = (): SeenRequest | undefined =>
      this.seen.find((each) => each.kind === kind && (uid === undefined || each.uid === uid))
    if (find() === undefined) {
      await new Promise<void>((resolve) => this.#waiting.add({ test: () => find() !== undefined, resolve }))
    }
    return find()!
  }

  [Symbol.dispose](): void {
    this.#connection.close()
  }

  async #serve(): Promise<void> {
    for (;;) {
      const packet = await this.#connection.receive().catch(() => undefined)
      if (packet === undefined) return
      const { payload } = fromBinary(zdspb.WorkloadRequestSchema, packet.bytes)
      const uid = payload.case === 'snapshotSent' || payload.case === undefined ? '' : payload.value.uid
      const netns = packet.fds[0] === undefined ? {} : { netns: fstatSync(packet.fds[0]).ino }
      const name = payload.case === 'add' ? { name: payload.value.workloadInfo?.name ?? '' } : {}
      closeAll(packet.fds)
      const request = { kind: payload.case ?? 'none', uid, ...name, ...netns }
      this.seen.push(request)
      for (const wait of this.#waiting) if (wait.test()) wait.resolve()
      await this.beforeAnswer(request)
      if (!this.answering) continue
      const error = this.refusals.get(uid) ?? ''
      const value = create(zdspb.AckSchema, { error })
      const response = create(zdspb.WorkloadResponseSchema, { payload: { case: 'ack', value } })
      await this.#connection.send(toBinary(zdspb.WorkloadResponseSchema, response)).catch(() => undefined)
    }
  }
}
