import type { KubeObject, WatchEvent } from '../contract.types.ts'
import { badRequest } from '../status-error.ts'
import type { ObjectStore, StoreEvent } from './object-store.ts'
import type { Predicate } from './selectors.ts'

export interface WatchSpec {
  readonly key: string
  readonly namespace: string | undefined
  readonly predicate: Predicate
  /** undefined and '0': what exists first. */
  readonly resourceVersion: string | undefined
  /** The watch-list protocol: what exists first, whatever the version says. */
  readonly sendInitialEvents?: boolean | undefined
}

/**
 * What a watcher with a selector sees of a change: entering the selection is ADDED, leaving it DELETED.
 */
export function visibleEvent(event: StoreEvent, selected: Predicate): WatchEvent | undefined {
  const before = event.previous !== undefined && selected(event.previous)
  if (event.type === 'DELETED') return before ? { type: 'DELETED', object: event.object } : undefined
  const now = selected(event.object)
  if (now) return { type: before ? 'MODIFIED' : 'ADDED', object: event.object }
  if (!before || event.previous === undefined) return undefined
  const { resourceVersion } = event.object.metadata
  const metadata = { ...event.previous.metadata, resourceVersion }
  return { type: 'DELETED', object: { ...event.previous, metadata } }
}

/** Starts a watch: delivers the past it asked for, then changes as they happen, all synchronously. */
export function startWatch(store: ObjectStore, spec: WatchSpec, deliver: (event: WatchEvent) => void): Disposable {
  const selected = (object: KubeObject): boolean =>
    (spec.namespace === undefined || object.metadata.namespace === spec.namespace) && spec.predicate(object)
  const from = parseVersion(spec.resourceVersion)
  if (from === 0 || spec.sendInitialEvents) {
    for (const object of store.list(spec.key, spec.namespace)) if (selected(object)) deliver({ type: 'ADDED', object })
  } else {
    for (const event of store.since(spec.key, from)) {
      const visible = visibleEvent(event, selected)
      if (visible !== undefined) deliver(visible)
    }
  }
  return store.subscribe(spec.key, (event) => {
    const visible = visibleEvent(event, selected)
    if (visible !== undefined) deliver(visible)
  })
}

function parseVersion(version: string | undefined): number {
  if (version === undefined || version === '') return 0
  if (!/^\d{1,15}$/.test(version)) throw badRequest(`Invalid value: ${JSON.stringify(version)}: not a resource version`)
  return Number(version)
}
