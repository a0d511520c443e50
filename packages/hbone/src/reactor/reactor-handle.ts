import type { Command, HandleId, ReactorEvent } from './messages.types.ts'
import type { ReactorCopies } from './reactor-copies.ts'

type EventWithId = Extract<ReactorEvent, { id: HandleId }>

/** Who is told what happens to something in the worker. */
export interface Listener {
  hear(event: EventWithId): void
}

/** What handles need of their reactor. */
export interface ReactorPort {
  nextId(): HandleId
  post(command: Command, transfer?: ArrayBuffer): void
  /** Events of a handle, until it is gone or copied. */
  hear(id: HandleId, listener: Listener): void
  deaf(id: HandleId): void
  readonly copies: ReactorCopies
}

/** Something that lives in a worker and that this thread decides about. */
export abstract class ReactorHandle implements Listener {
  readonly id: HandleId
  protected readonly port: ReactorPort
  #isClosed = false
  /** Undefined while nobody waits, which is the rule for connections that are only copied. */
  #onClose: (() => void)[] | undefined

  constructor(port: ReactorPort, id: HandleId) {
    this.port = port
    this.id = id
    port.hear(id, this)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Calls once when it is gone, whoever ended it; at once if it is. Answers how to stop that. */
  onGone(listener: () => void): () => void {
    if (this.#isClosed) {
      listener()
      return () => undefined
    }
    this.#onClose ??= []
    this.#onClose.push(listener)
    return () => {
      this.#onClose = this.#onClose?.filter((other) => other !== listener)
    }
  }

  /** Ends it so that nobody takes what came so far for all: RST, RST_STREAM CANCEL. */
  cut(): void {
    if (this.#isClosed) return
    this.port.post({ kind: 'cut', id: this.id })
    this.over()
  }

  /** It is gone, or a copy that it was in is. */
  over(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.port.deaf(this.id)
    const listeners = this.#onClose
    this.#onClose = undefined
    for (const listener of listeners ?? []) listener()
  }

  abstract hear(event: EventWithId): void
}

export type { EventWithId }
