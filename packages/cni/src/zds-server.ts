import { type Clock, type Closable, type Gauge, type Logger, messageOf } from '@ambit/core'
import { type Netns, type SeqpacketConnection, SeqpacketListener } from '@ambit/linux'
import { ZDS_ACCEPT_INTERVAL_MS, ZDS_MAX_CONNECTIONS } from './limits.ts'
import type { PodNetnsCache } from './pod-netns-cache.ts'
import { ZdsConnection, ZtunnelGoneError } from './zds-connection.ts'
import { addRequest, deleteRequest, keepRequest, snapshotSentRequest, type ZdsPod } from './zds-messages.ts'

export interface ZdsServerComponents {
  readonly cache: PodNetnsCache
  readonly clock: Clock
  readonly logger: Logger
  /** Number of connected ztunnels. */
  readonly connected: Gauge
}

/** Tells ztunnels which pods to serve. The newest one gets new pods, all of them hear of removals. */
export class ZdsServer implements Closable {
  readonly #components: ZdsServerComponents
  readonly #listener: SeqpacketListener
  readonly #snapshotReady: Promise<void>
  /** Oldest first. */
  readonly #connections: ZdsConnection[] = []
  readonly #onConnected: () => void
  #greeting = 0
  #nextAccept = 0
  #closed = false

  private constructor(
    components: ZdsServerComponents,
    listener: SeqpacketListener,
    options: { snapshotReady: Promise<void>; onConnected: () => void },
  ) {
    this.#components = components
    this.#listener = listener
    this.#snapshotReady = options.snapshotReady
    this.#onConnected = options.onConnected
    components.connected.set({}, 0)
    listener.onConnection((connection) => void this.#serve(connection))
  }

  /** No ztunnel hears anything before `snapshotReady`: an incomplete snapshot would make it drop running pods. */
  static async listen(
    components: ZdsServerComponents,
    options: {
      readonly path: string
      readonly snapshotReady: Promise<void>
      /** A ztunnel has its snapshot: pods that wait for one may be tried again. */
      readonly onConnected?: () => void
    },
  ): Promise<ZdsServer> {
    const listener = await SeqpacketListener.listen(options.path)
    const { snapshotReady, onConnected = () => undefined } = options
    return new ZdsServer(components, listener, { snapshotReady, onConnected })
  }

  get connections(): number {
    return this.#connections.length
  }

  /** Resolves once the newest ztunnel serves the pod. */
  async add(pod: ZdsPod, netns: Netns): Promise<void> {
    const newest = this.#connections.at(-1)
    if (newest === undefined) {
      throw new ZtunnelGoneError('no ztunnel is connected on this node; check the ztunnel DaemonSet pod of the node')
    }
    await newest.request(addRequest(pod), netns)
  }

  /** Resolves once every connected ztunnel has let the pod go; with none connected there is nothing to do. */
  async remove(uid: string): Promise<void> {
    const answers = await Promise.allSettled(this.#connections.map((each) => each.request(deleteRequest(uid))))
    // A ztunnel that is gone serves nothing, and a new one learns from the snapshot.
    const refused = answers.find((each) => each.status === 'rejected' && !(each.reason instanceof ZtunnelGoneError))
    if (refused?.status === 'rejected') throw refused.reason
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const connection of [...this.#connections])
      connection.close(new ZtunnelGoneError('the node agent is stopping'))
    await this.#listener.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #serve(raw: SeqpacketConnection): Promise<void> {
    const { logger } = this.#components
    if (this.#greeting + this.#connections.length >= ZDS_MAX_CONNECTIONS) {
      logger.warn('too many ztunnel connections, closing the newest', { limit: ZDS_MAX_CONNECTIONS })
      return raw.close()
    }
    this.#greeting++
    try {
      await this.#pace()
      const connection = await ZdsConnection.greet(raw)
      await Promise.race([this.#snapshotReady, connection.ended])
      if (this.#closed) return raw.close()
      this.#follow(connection)
      await this.#sendSnapshot(connection)
      logger.info('ztunnel connected', { connections: this.#connections.length })
      this.#onConnected()
    } catch (error) {
      raw.close()
      logger.warn('ztunnel connection failed', { error: messageOf(error) })
    } finally {
      this.#greeting--
    }
  }

  /** Registered before the snapshot is read, so that no later change can be missed; repeated adds are harmless. */
  #follow(connection: ZdsConnection): void {
    const { connected, logger } = this.#components
    this.#connections.push(connection)
    connected.set({}, this.#connections.length)
    void connection.ended.then((reason) => {
      this.#connections.splice(this.#connections.indexOf(connection), 1)
      connected.set({}, this.#connections.length)
      logger.info('ztunnel disconnected', { reason: reason.message, connections: this.#connections.length })
    })
  }

  async #sendSnapshot(connection: ZdsConnection): Promise<void> {
    for (const { pod } of this.#components.cache.values()) {
      // Read again: it may have gone, or found its namespace, while earlier pods were being answered.
      const entry = this.#components.cache.get(pod.uid)
      if (entry === undefined || entry.leaving) continue
      try {
        const sent = entry.netns === undefined ? keepRequest(pod.uid) : addRequest(entry.pod)
        await connection.request(sent, entry.netns)
      } catch (error) {
        // A refused pod stays pending at ztunnel, which tries again by itself; the others must not wait for it.
        if (error instanceof ZtunnelGoneError) throw error
        this.#components.logger.warn('ztunnel refused a pod of the snapshot', {
          pod: `${pod.namespace}/${pod.name}`,
          error: messageOf(error),
        })
      }
    }
    await connection.request(snapshotSentRequest())
  }

  async #pace(): Promise<void> {
    const { clock } = this.#components
    const now = clock.monotonic()
    const at = Math.max(now, this.#nextAccept)
    this.#nextAccept = at + ZDS_ACCEPT_INTERVAL_MS
    if (at > now) await clock.sleep(at - now)
  }
}
