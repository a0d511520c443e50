import { randomBytes } from 'node:crypto'
import { type Clock, type Logger, messageOf } from '@ambit/core'
import type { KubeObject, ObjectClient } from '../apiserver/contract.types.ts'
import { Breath } from '../controllers/breath.ts'
import { LIMITS } from '../limits.ts'
import { GVR } from '../objects/gvr.ts'

interface Kept {
  readonly namespace: string
  readonly name: string
  count: number
}

/** Tells people what happened to an object, as Kubernetes events; equal ones are counted instead of repeated. */
export class EventRecorder {
  readonly #client: ObjectClient
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()
  readonly #breath = new Breath()
  #queue: Promise<void> = Promise.resolve()

  constructor(components: { readonly client: ObjectClient; readonly logger: Logger; readonly clock: Clock }) {
    this.#client = components.client
    this.#logger = components.logger
    this.#clock = components.clock
  }

  event(
    about: KubeObject,
    o: {
      readonly type: 'Normal' | 'Warning'
      readonly reason: string
      readonly message: string
      readonly component: string
      readonly host?: string | undefined
      readonly fieldPath?: string | undefined
    },
  ): void {
    this.#queue = this.#queue.then(async () => {
      try {
        await this.#breath.take()
        await this.#record(about, o)
      } catch (error) {
        this.#logger.debug('event not recorded', { reason: o.reason, error: messageOf(error) })
      }
    })
  }

  async #record(about: KubeObject, o: Parameters<EventRecorder['event']>[1]): Promise<void> {
    const { metadata } = about
    const key = [about.kind, metadata.uid, o.reason, o.message, o.fieldPath].join('\0')
    const now = new Date(this.#clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
    const kept = this.#kept.get(key)
    if (kept !== undefined) {
      kept.count++
      const change = { count: kept.count, lastTimestamp: now }
      const patched = await this.#client.patch(GVR.events, kept.namespace, kept.name, change).catch(() => undefined)
      if (patched !== undefined) return
      this.#kept.delete(key)
    }
    const namespace = metadata.namespace ?? 'default'
    const name = `${metadata.name ?? 'object'}.${randomBytes(8).toString('hex')}`
    await this.#client.create(GVR.events, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: {
        apiVersion: about.apiVersion,
        kind: about.kind,
        namespace: metadata.namespace,
        name: metadata.name,
        uid: metadata.uid,
        resourceVersion: metadata.resourceVersion,
        ...(o.fieldPath === undefined ? {} : { fieldPath: o.fieldPath }),
      },
      type: o.type,
      reason: o.reason,
      message: o.message,
      source: { component: o.component, ...(o.host === undefined ? {} : { host: o.host }) },
      reportingComponent: o.component,
      reportingInstance: o.host ?? '',
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    })
    this.#kept.set(key, { namespace, name, count: 1 })
    await this.#dropOldest()
  }

  async #dropOldest(): Promise<void> {
    if (this.#kept.size <= LIMITS.eventsKept) return
    const [key, oldest] = this.#kept.entries().next().value ?? []
    if (key === undefined || oldest === undefined) return
    this.#kept.delete(key)
    await this.#client.delete(GVR.events, oldest.namespace, oldest.name)
  }
}
