import { AmbitError, Backoff, type Clock, type Logger, messageOf } from '@ambit/core'
import type { SeqpacketConnection } from '@ambit/linux'
import { closeAll, Netns } from '@ambit/linux'
import { ZDS_RECONNECT } from './limits.ts'
import type { PodProxies } from './pod-proxies.ts'
import { decodeZdsRequest, encodeAck, encodeHello, type ZdsRequest } from './zds-messages.ts'

/** The agent broke the protocol in a way that leaves no safe state to go on from. */
export class ZdsProtocolError extends AmbitError {
  override readonly code = 'zds-protocol'
}

class ZdsReadError extends AmbitError {
  override readonly code = 'zds-read'
}

export interface ZdsClientComponents {
  readonly connect: (signal: AbortSignal) => Promise<Pick<SeqpacketConnection, 'send' | 'receive' | 'close'>>
  readonly pods: PodProxies
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * The pods of this node as the node agent sends them: one message, one answer, in order. Losing the agent makes ztunnel
 * unready and changes nothing else.
 */
export class ZdsClient {
  readonly #components: ZdsClientComponents
  readonly #logger: Logger
  #snapshotDone = false

  constructor(components: ZdsClientComponents) {
    this.#components = components
    this.#logger = components.logger.scope('zds')
  }

  /** Until aborted; rejects only with {@link ZdsProtocolError}. */
  async run(signal: AbortSignal): Promise<void> {
    const { pods, clock } = this.#components
    const backoff = new Backoff(ZDS_RECONNECT)
    while (!signal.aborted) {
      try {
        await this.#session(signal, () => backoff.reset())
        this.#logger.info('node agent closed the connection')
      } catch (error) {
        if (error instanceof ZdsProtocolError) throw error
        if (!signal.aborted) this.#logger.warn('node agent connection failed', { error: messageOf(error) })
      } finally {
        pods.disconnected()
      }
      if (!signal.aborted) await clock.sleep(backoff.next(), signal).catch(() => undefined)
    }
  }

  async #session(signal: AbortSignal, onHello: () => void): Promise<void> {
    const { connect, pods } = this.#components
    const connection = await connect(signal)
    try {
      await connection.send(encodeHello())
      onHello()
      this.#logger.info('connected to the node agent')
      this.#snapshotDone = false
      pods.beginSnapshot()
      while (!signal.aborted) {
        const request = await this.#read(connection, signal)
        if (request === undefined) return
        await this.#serve(connection, request)
      }
    } finally {
      connection.close()
    }
  }

  async #read(
    connection: Pick<SeqpacketConnection, 'send' | 'receive'>,
    signal: AbortSignal,
  ): Promise<ZdsRequest | undefined> {
    let packet: Awaited<ReturnType<SeqpacketConnection['receive']>>
    try {
      packet = await connection.receive(signal)
    } catch (error) {
      if (!signal.aborted) await refuse(connection, `failure to read message : ${messageOf(error)}`)
      throw error
    }
    if (packet === undefined) return undefined
    const decoded = decodeZdsRequest(packet.bytes, packet.fds)
    if (decoded.ok) return decoded.request
    closeAll(packet.fds)
    if (decoded.fault === 'protocol') return await this.#protocolError(connection, decoded.reason)
    await refuse(connection, `failure to read message : ${decoded.reason}`)
    throw new ZdsReadError(decoded.reason)
  }

  async #serve(connection: Pick<SeqpacketConnection, 'send'>, request: ZdsRequest): Promise<void> {
    const { pods } = this.#components
    switch (request.kind) {
      case 'add': {
        const failure = await this.#add(request)
        this.#logger.info('pod added', {
          uid: request.uid,
          pod: `${request.workload.namespace}/${request.workload.name}`,
          error: failure,
        })
        await connection.send(encodeAck(failure === undefined ? '' : `failure to start proxy : ${failure}`))
        return
      }
      case 'keep':
        if (this.#snapshotDone) await this.#protocolError(connection, 'keep after the snapshot')
        pods.keep(request.uid)
        break
      case 'del':
        this.#logger.info('pod removed', { uid: request.uid })
        await pods.remove(request.uid)
        break
      case 'snapshot-sent':
        if (this.#snapshotDone) await this.#protocolError(connection, 'second snapshot on one connection')
        this.#snapshotDone = true
        await pods.snapshotSent()
        break
    }
    await connection.send(encodeAck())
  }

  async #add({ uid, workload, fd }: ZdsRequest & { kind: 'add' }): Promise<string | undefined> {
    let netns: Netns
    try {
      netns = Netns.fromFd(fd)
    } catch (error) {
      closeAll([fd])
      return messageOf(error)
    }
    return await this.#components.pods.add(uid, workload, netns)
  }

  async #protocolError(connection: Pick<SeqpacketConnection, 'send'>, reason: string): Promise<never> {
    await refuse(connection, `failure to process message : ${reason}`)
    throw new ZdsProtocolError(`the node agent broke the ZDS protocol: ${reason}`)
  }
}

/** Tells the agent, if it still listens. */
async function refuse(connection: Pick<SeqpacketConnection, 'send'>, reason: string): Promise<void> {
  await Promise.resolve(connection.send(encodeAck(reason))).catch(() => undefined)
}
