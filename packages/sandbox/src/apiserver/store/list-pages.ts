import type { KubeObject } from '../contract.types.ts'
import { badRequest, expired } from '../status-error.ts'

export interface ListPage {
  readonly items: readonly KubeObject[]
  readonly resourceVersion: string
  readonly continue?: string | undefined
  readonly remaining?: number | undefined
}

interface Snapshot {
  readonly items: readonly KubeObject[]
  readonly resourceVersion: string
}

/** Remembers lists that are read in pages, so that all pages show one moment. */
export class ListPages {
  readonly #snapshots = new Map<string, Snapshot>()
  readonly #max: number
  #next = 1

  constructor(maxSnapshots: number) {
    this.#max = maxSnapshots
  }

  /** First page of a list. */
  first(items: readonly KubeObject[], resourceVersion: string, limit: number): ListPage {
    if (limit <= 0 || items.length <= limit) return { items, resourceVersion }
    const id = String(this.#next++)
    this.#snapshots.set(id, { items, resourceVersion })
    const oldest = this.#snapshots.keys().next().value
    if (this.#snapshots.size > this.#max && oldest !== undefined) this.#snapshots.delete(oldest)
    return this.#page(id, { items, resourceVersion }, 0, limit)
  }

  /** The page a continue token names; 410 when its list is forgotten. */
  next(token: string, limit: number): ListPage {
    const match = /^(\d{1,15})\.(\d{1,15})$/.exec(Buffer.from(token, 'base64url').toString('latin1'))
    if (match === null) throw badRequest('continue key is not valid: it was not made by this server')
    const id = match[1] ?? ''
    const snapshot = this.#snapshots.get(id)
    if (snapshot === undefined)
      throw expired('The provided continue parameter is too old to display a consistent list result. Start a new list.')
    return this.#page(id, snapshot, Number(match[2]), limit)
  }

  #page(id: string, snapshot: Snapshot, offset: number, limit: number): ListPage {
    const end = limit <= 0 ? snapshot.items.length : offset + limit
    const remaining = snapshot.items.length - end
    const page = { items: snapshot.items.slice(offset, end), resourceVersion: snapshot.resourceVersion }
    if (remaining <= 0) return page
    return { ...page, continue: Buffer.from(`${id}.${end}`).toString('base64url'), remaining }
  }
}
