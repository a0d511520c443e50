import { messageOf } from '@ambit/core'
import {
  acceptFrom,
  type EventLoop,
  type OpenSsl,
  originalDestinationOf,
  type ReactorSocket,
  TlsContext,
} from '@ambit/linux'
import { CIPHER_SUITES } from '../defaults.ts'
import { ACCEPTS_PER_TURN } from '../limits.ts'
import { Carrier } from './carrier.ts'
import { Copy, type CopyEnvironment } from './copy.ts'
import { Joining, type JoiningComponents, NOT_SENT } from './joining.ts'
import type { Command, HandleId, ReactorEvent, ReactorFacts } from './messages.types.ts'
import { Shared } from './shared.ts'
import { StreamEnd } from './stream-end.ts'
import { TcpEnd } from './tcp-end.ts'
import type { Runnable } from './turn-queue.ts'

type Handle = TcpEnd | StreamEnd | Carrier | Copy | Joining | Listener | TlsContext

/** Everything of one worker that has a number, and what is done with it. Holds no policy: commands say what, events tell what happened. */
export class DataPath implements Disposable {
  readonly #loop: EventLoop
  readonly #openssl: OpenSsl
  readonly #shared: Shared
  readonly #post: (event: ReactorEvent) => void
  readonly #handles = new Map<HandleId, Handle>()
  readonly #copies: CopyEnvironment
  #lastId = 0

  constructor(
    components: { readonly loop: EventLoop; readonly openssl: OpenSsl; readonly counters: Float64Array },
    post: (event: ReactorEvent) => void,
  ) {
    this.#loop = components.loop
    this.#openssl = components.openssl
    this.#post = post
    this.#shared = new Shared(components, { post, forget: (id) => void this.#handles.delete(id) })
    this.#copies = {
      counters: components.counters,
      after: (ms, run) => components.loop.after(ms, run),
      now: () => components.loop.now,
      bulk: (copy) => tellBulk(copy, false, post),
      copied: (copy, failure) => {
        this.#handles.delete(copy.id)
        if (copy.isBulk) tellBulk(copy, true, post)
        const { forward, backward } = copy
        post({
          kind: 'copied',
          id: copy.id,
          aToB: forward.given,
          bToA: backward.given,
          failure: failure?.message,
          code: failure?.code,
        })
      },
    }
  }

  get isIdle(): boolean {
    return this.#shared.queue.isIdle
  }

  facts(): ReactorFacts {
    return {
      handles: this.#handles.size,
      descriptors: this.#loop.watched,
      timers: this.#loop.timers,
      ...this.#openssl.counts,
    }
  }

  /** One step of each that has something to do. */
  run(): void {
    this.#shared.queue.turn()
  }

  nextId(): HandleId {
    this.#lastId += 2
    return this.#lastId
  }

  /** What cannot be done is told as the end of the handle it was about; a command never throws. */
  obey(command: Command): void {
    if (!('id' in command)) return
    try {
      this.#obey(command)
    } catch (error) {
      this.#handles.delete(command.id)
      this.#post({ kind: 'gone', id: command.id, failure: messageOf(error), code: undefined })
    }
  }

  [Symbol.dispose](): void {
    // Contexts last: sessions are made of them.
    const handles = [...this.#handles.values()]
    for (const handle of handles) if (handle instanceof Carrier || handle instanceof Listener) handle.cut()
    for (const handle of handles) if (handle instanceof TcpEnd) handle.cut()
    for (const handle of handles) if (handle instanceof TlsContext) handle[Symbol.dispose]()
    this.#handles.clear()
    this.#shared[Symbol.dispose]()
  }

  #obey(command: Extract<Command, { id: HandleId }>): void {
    const { id } = command
    switch (command.kind) {
      case 'context':
        this.#handles.set(
          id,
          new TlsContext(this.#openssl, { ...command, cipherSuites: CIPHER_SUITES, protocol: 'h2' }),
        )
        return
      case 'drop-context': {
        const context = this.#handles.get(id)
        if (!(context instanceof TlsContext)) return
        this.#handles.delete(id)
        context[Symbol.dispose]()
        return
      }
      case 'listen':
        this.#handles.set(id, new Listener(this.#shared, command.fd, id, (fd) => this.#accepted(id, fd)))
        return
      case 'adopt':
        this.#handles.set(id, new TcpEnd(this.#shared, id, command.fd))
        return
      case 'connect': {
        const end = new TcpEnd(this.#shared, id, command.fd)
        this.#handles.set(id, end)
        end.connect(command.to, command.timeoutMs)
        return
      }
      case 'copy': {
        this.#copy(command, this.#end(command.a), this.#end(command.b))
        return
      }
      case 'join-tunnel':
        this.#joinTunnel(command)
        return
      case 'join-connection':
        this.#joinConnection(command)
        return
      case 'request': {
        const session = this.#handles.get(command.session)
        const end = session instanceof Carrier ? session.request(id, command.headers) : undefined
        if (end === undefined)
          this.#post({ kind: 'gone', id, failure: 'the connection takes no new streams', code: NOT_SENT })
        else this.#handles.set(id, end)
        return
      }
      case 'refuse': {
        const end = this.#handles.get(id)
        if (end instanceof TcpEnd) end.refuse(command.holdMs)
        return
      }
      case 'answer': {
        const end = this.#handles.get(id)
        if (end instanceof StreamEnd) end.carrier.answer(end, command.headers, command.isEnd)
        return
      }
      case 'secure':
        this.#secure(command)
        return
      default:
        this.#obeySession(command)
    }
  }

  #obeySession(command: Extract<Command, { kind: 'session' | 'cut' | 'close' | 'drain' | 'ping' }>): void {
    const handle = this.#handles.get(command.id)
    switch (command.kind) {
      case 'session':
        if (handle instanceof Carrier) handle.open(command.options)
        return
      case 'cut':
        if (handle !== undefined && !(handle instanceof TlsContext)) handle.cut()
        return
      case 'close':
        if (handle instanceof Copy || handle instanceof Joining) handle.cut()
        else if (handle !== undefined && !(handle instanceof TlsContext)) handle.close()
        return
      case 'drain':
        if (handle instanceof Carrier) handle.drain(command.isLast)
        return
      case 'ping':
        if (handle instanceof Carrier) handle.ping()
    }
  }

  #secure(command: Extract<Command, { kind: 'secure' }>): void {
    const { id, isServer, timeoutMs } = command
    const end = this.#handles.get(id)
    const context = this.#handles.get(command.context)
    if (!(end instanceof TcpEnd)) return
    if (!(context instanceof TlsContext)) {
      end.cut()
      throw new Error('the certificate is gone')
    }
    const fd = end.surrender()
    if (fd === undefined) return
    const components = { shared: this.#shared, handles: this.#carrierHandles, context }
    this.#handles.set(id, new Carrier(components, { id, fd, isServer, timeoutMs }))
  }

  readonly #carrierHandles = {
    nextId: (): HandleId => this.nextId(),
    add: (id: HandleId, end: StreamEnd): void => void this.#handles.set(id, end),
  }

  #end(id: HandleId): TcpEnd | StreamEnd | undefined {
    const handle = this.#handles.get(id)
    const isEnd = handle instanceof TcpEnd || handle instanceof StreamEnd
    const isFree = isEnd && handle.out === undefined && handle.onLeft === undefined && handle.waiter === undefined
    return isFree && !handle.isGone ? handle : undefined
  }

  #copy(
    command: Extract<Command, { kind: 'copy' }>,
    a: TcpEnd | StreamEnd | undefined,
    b: TcpEnd | StreamEnd | undefined,
  ): void {
    if (a === undefined || b === undefined) {
      // One went while the command was on its way: the other one's peer learns it.
      a?.cut()
      b?.cut()
      this.#post({ kind: 'copied', id: command.id, aToB: 0, bToA: 0, failure: undefined, code: undefined })
      return
    }
    this.#begin(command, a, b)
  }

  #begin(
    { id, slot, prefix }: { readonly id: HandleId; readonly slot: number; readonly prefix: Uint8Array | undefined },
    a: TcpEnd | StreamEnd,
    b: TcpEnd | StreamEnd,
  ): void {
    const copy = new Copy(this.#copies, id, slot, a, b)
    this.#handles.set(id, copy)
    if (prefix !== undefined) copy.prefix(prefix)
    copy.begin()
  }

  #joinTunnel(command: Extract<Command, { kind: 'join-tunnel' }>): void {
    const { id, headers } = command
    const first = this.#end(command.a)
    if (first === undefined) {
      this.#unjoined(id, GONE_BEFORE, undefined)
      return
    }
    const session = this.#handles.get(command.session)
    const second = session instanceof Carrier ? session.request(command.b, headers) : undefined
    if (second === undefined) {
      this.#unjoined(id, 'the connection takes no new streams', NOT_SENT)
      return
    }
    this.#handles.set(command.b, second)
    this.#handles.set(id, new Joining(this.#joining(command), { id, first, second, answer: [] }))
  }

  #joinConnection(command: Extract<Command, { kind: 'join-connection' }>): void {
    const { id, fd, headers } = command
    const first = this.#end(command.a)
    if (first === undefined) {
      this.#shared.native.calls.close(fd)
      this.#unjoined(id, GONE_BEFORE, undefined)
      return
    }
    let second: TcpEnd
    try {
      second = new TcpEnd(this.#shared, command.b, fd)
    } catch (error) {
      this.#unjoined(id, messageOf(error), undefined)
      return
    }
    this.#handles.set(command.b, second)
    this.#handles.set(id, new Joining(this.#joining(command), { id, first, second, answer: headers }))
    second.connect(command.to, command.timeoutMs)
  }

  #joining(command: Extract<Command, { kind: 'join-tunnel' | 'join-connection' }>): JoiningComponents {
    return {
      begin: (a, b) => this.#begin(command, a, b),
      post: this.#post,
      forget: (id) => void this.#handles.delete(id),
    }
  }

  #unjoined(id: HandleId, failure: string, code: number | undefined): void {
    this.#post({ kind: 'unjoined', id, headers: undefined, failure, code })
  }

  #accepted(listener: HandleId, fd: number): void {
    const id = this.nextId()
    let end: TcpEnd
    try {
      end = new TcpEnd(this.#shared, id, fd)
    } catch {
      // Out of memory for it in the kernel: the connection is closed, others go on.
      return
    }
    const [remote, local] = [end.socket.remote(), end.socket.local()]
    // The peer may be gone right after accept.
    if (remote === undefined || local === undefined) {
      end.cut()
      return
    }
    this.#handles.set(id, end)
    this.#post({ kind: 'accepted', id, listener, remote, local, original: originalDestinationOf(fd) })
  }
}

/** To the session of ours that shares its connection with it. */
function tellBulk({ forward: { from, to } }: Copy, isOver: boolean, post: (event: ReactorEvent) => void): void {
  for (const end of [from, to]) {
    if (end instanceof StreamEnd && !end.carrier.isServer) post({ kind: 'bulk', id: end.carrier.id, isOver })
  }
}

const GONE_BEFORE = 'the connection ended before it was joined'

/** A listening descriptor, whose connections are taken in turns with everything else. */
class Listener implements Runnable {
  isQueued = false
  readonly #shared: Shared
  readonly #socket: ReactorSocket
  readonly #id: HandleId
  readonly #accepted: (fd: number) => void

  constructor(shared: Shared, fd: number, id: HandleId, accepted: (fd: number) => void) {
    this.#shared = shared
    this.#id = id
    this.#accepted = accepted
    this.#socket = shared.own(fd, this)
    shared.queue.run(this)
  }

  ready(): void {
    this.#shared.queue.run(this)
  }

  step(): void {
    if (!this.#socket.isOpen) return
    for (let count = 0; count < ACCEPTS_PER_TURN; count++) {
      const fd = acceptFrom(this.#shared.loop, this.#socket.fd)
      if (fd === 'again') return
      if (fd === 'full') {
        this.#shared.loop.after(ACCEPT_RETRY_MS, () => this.ready())
        return
      }
      this.#accepted(fd)
    }
    this.#shared.queue.run(this)
  }

  cut(): void {
    this.#socket.close()
    this.#shared.forget(this.#id)
  }

  close(): void {
    this.cut()
  }
}

/** Pause after the process had no descriptors left, ms. */
const ACCEPT_RETRY_MS = 100
