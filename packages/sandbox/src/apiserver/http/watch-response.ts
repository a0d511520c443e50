import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '@ambit/core'
import type { KubeObject, WatchEvent } from '../contract.types.ts'
import { BOOKMARK_INTERVAL_MS, DEFAULT_WATCH_TIMEOUT_MS, MAX_WATCH_BUFFER_BYTES } from '../limits.ts'
import { apiVersionOf, type ResourceDefinition, storageKey } from '../resources/resource-definition.ts'
import { inVersion } from '../resources/target.ts'
import { StatusError } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'
import type { Predicate } from '../store/selectors.ts'
import { startWatch } from '../store/watch-events.ts'
import { type IncludeObject, partialMetadata, toTable } from '../tables/table.ts'
import type { Representation } from './accept.ts'

export interface WatchRequest {
  readonly definition: ResourceDefinition
  readonly version: string
  readonly namespace: string | undefined
  readonly predicate: Predicate
  readonly resourceVersion: string | undefined
  readonly bookmarks: boolean
  readonly sendInitialEvents: boolean
  readonly timeoutMs: number | undefined
  readonly representation: Representation
  readonly include: IncludeObject
}

/** Streams events until the client leaves, the time is over, or the client reads too slowly. Returns when it ended. */
export function streamWatch(
  store: ObjectStore,
  clock: Clock,
  request: IncomingMessage,
  response: ServerResponse,
  watch: WatchRequest,
): Promise<void> {
  const { definition, version, representation } = watch
  const ended = Promise.withResolvers<void>()
  const parts: Disposable[] = []
  const backlog: WatchEvent[] = []
  let started = false
  let first = true
  const end = (): void => {
    for (const part of parts) part[Symbol.dispose]()
    parts.length = 0
    ended.resolve()
  }
  const shape = (event: WatchEvent): unknown => {
    const object = inVersion(event.object, { definition, version })
    if (event.type === 'BOOKMARK' || representation.kind === 'object') return object
    if (representation.kind === 'metadata') return partialMetadata(object)
    const meta = { resourceVersion: object.metadata.resourceVersion }
    const options = { nowMs: clock.now(), include: watch.include, withColumns: first }
    first = false
    return toTable(definition, version, [object], meta, options)
  }
  // What changes in one turn goes out in one piece: writing costs more than encoding.
  let pending: Buffer[] = []
  let pendingBytes = 0
  const flush = (): void => {
    if (pending.length === 0 || parts.length === 0) return
    const piece = pending.length === 1 ? pending[0] : Buffer.concat(pending, pendingBytes)
    pending = []
    pendingBytes = 0
    response.write(piece)
  }
  const send = (line: Buffer): void => {
    if (response.writableLength + pendingBytes > MAX_WATCH_BUFFER_BYTES) {
      response.destroy()
      end()
      return
    }
    if (pending.length === 0) setImmediate(flush)
    pending.push(line)
    pendingBytes += line.length
  }
  const write = (type: string, object: unknown): void => send(Buffer.from(`${JSON.stringify({ type, object })}\n`))
  const deliver = (event: WatchEvent): void => {
    if (representation.kind === 'object' && event.type !== 'BOOKMARK')
      return send(encodeEvent(event, definition, version))
    write(event.type, shape(event))
  }
  const bookmark = (annotations?: Record<string, string>): void => {
    const apiVersion = apiVersionOf(definition.group, version)
    const metadata = {
      resourceVersion: String(store.revision),
      creationTimestamp: null,
      ...(annotations ? { annotations } : {}),
    }
    write('BOOKMARK', { kind: definition.kind, apiVersion, metadata })
  }
  // Before the first byte: a version that is too old must be a 410, not an event.
  const subscription = startWatch(
    store,
    {
      key: storageKey(definition),
      namespace: watch.namespace,
      predicate: watch.predicate,
      resourceVersion: watch.resourceVersion,
      sendInitialEvents: watch.sendInitialEvents,
    },
    (event) => {
      if (started) deliver(event)
      else backlog.push(event)
    },
  )
  parts.push(subscription)
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' })
  response.flushHeaders()
  started = true
  for (const event of backlog) deliver(event)
  if (watch.sendInitialEvents) bookmark({ 'k8s.io/initial-events-end': 'true' })
  if (watch.bookmarks) {
    const tick = (): void => {
      if (parts.length === 0) return
      bookmark()
      timer = clock.after(BOOKMARK_INTERVAL_MS, tick)
    }
    let timer = clock.after(BOOKMARK_INTERVAL_MS, tick)
    parts.push({ [Symbol.dispose]: () => timer[Symbol.dispose]() })
  }
  const timeout = clock.after(watch.timeoutMs ?? DEFAULT_WATCH_TIMEOUT_MS, () => {
    flush()
    end()
    response.end()
  })
  parts.push(timeout)
  response.on('close', end)
  request.on('error', end)
  return ended.promise
}

/** The last change that was encoded: it goes to all watches of its kind before the next one comes. */
let last:
  | { readonly object: KubeObject; readonly type: string; readonly version: string; readonly line: Buffer }
  | undefined

function encodeEvent({ type, object }: WatchEvent, definition: ResourceDefinition, version: string): Buffer {
  if (last?.object === object && last.type === type && last.version === version) return last.line
  const line = Buffer.from(`${JSON.stringify({ type, object: inVersion(object, { definition, version }) })}\n`)
  last = { object, type, version, line }
  return line
}

/** 429 for a watch too many. */
export function tooManyWatches(limit: number): StatusError {
  return new StatusError(429, 'TooManyRequests', `the sandbox serves ${limit} watches at a time; end some first`, {
    retryAfterSeconds: 1,
  })
}
