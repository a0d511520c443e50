import type { IncomingMessage } from 'node:http'
import type { KubeConfig } from '@kubernetes/client-node'
import { KubeAnswerError, KubeApiError, KubeConnectionError } from './errors.ts'
import { HttpExchange, readJson } from './http-exchange.ts'
import { LIST_PAGE_SIZE, REQUEST_TIMEOUT_MS } from './limits.ts'
import type { KubeObject, ObjectList, ResourceKind, Selection, WatchEvent } from './object.types.ts'
import { resourcePath } from './resource-path.ts'
import { readLines } from './watch-lines.ts'

export interface ObjectName {
  readonly namespace?: string | undefined
  readonly name: string
}

export interface ApplyOptions {
  readonly fieldManager: string
  readonly force?: boolean
  readonly subresource?: string
  readonly signal?: AbortSignal
}

export interface PatchOptions {
  readonly subresource?: string
  readonly fieldManager?: string
  readonly signal?: AbortSignal
}

/** The API server's verbs over one configuration. Failures answered by the server are {@link KubeApiError}. */
export class KubeClient implements Disposable {
  readonly #exchange: HttpExchange

  constructor(config: KubeConfig) {
    this.#exchange = new HttpExchange(config)
  }

  /** The object, or undefined when there is none. */
  async get<T extends KubeObject>(kind: ResourceKind, at: ObjectName, signal?: AbortSignal): Promise<T | undefined> {
    try {
      return (await this.request('GET', resourcePath(kind, at), { signal })) as T
    } catch (error) {
      if (error instanceof KubeApiError && error.status === 404) return undefined
      throw error
    }
  }

  /** All objects of the selection, page by page, at the resource version of the first page; `trim` drops what need not be kept. */
  async list<T extends KubeObject>(
    kind: ResourceKind,
    selection: Selection = {},
    signal?: AbortSignal,
    trim: (object: T) => T = (object) => object,
  ): Promise<ObjectList<T>> {
    const items: T[] = []
    let resourceVersion = ''
    let next: string | undefined
    do {
      const query = { ...selectors(selection), limit: String(LIST_PAGE_SIZE), continue: next }
      const page = await this.request('GET', resourcePath(kind, { namespace: selection.namespace }), { query, signal })
      const { items: some, metadata } = readList(page)
      // Items of a list carry neither kind nor version.
      for (const item of some) items.push(trim({ ...(item as T), apiVersion: kind.apiVersion, kind: kind.kind }))
      resourceVersion = metadata.resourceVersion ?? resourceVersion
      next = metadata.continue || undefined
    } while (next !== undefined)
    return { items, resourceVersion }
  }

  /** Changes after `resourceVersion`. Ends when the server ends it; throws {@link KubeApiError} 410 when too old. */
  async *watch<T extends KubeObject>(
    kind: ResourceKind,
    options: Selection & {
      readonly resourceVersion: string
      readonly timeoutSeconds: number
      readonly signal: AbortSignal
    },
  ): AsyncGenerator<WatchEvent<T>> {
    const answer = await this.#exchange.send({
      method: 'GET',
      path: resourcePath(kind, { namespace: options.namespace }),
      query: {
        ...selectors(options),
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: options.resourceVersion,
        timeoutSeconds: String(options.timeoutSeconds),
      },
      signal: options.signal,
    })
    if ((answer.statusCode ?? 0) >= 300) throw await failureOf(answer, `watch ${kind.plural}`)
    for await (const line of readLines(answer as AsyncIterable<Buffer>)) yield readEvent<T>(line, kind)
  }

  async create<T extends KubeObject>(kind: ResourceKind, object: T, signal?: AbortSignal): Promise<T> {
    const path = resourcePath(kind, { namespace: object.metadata.namespace })
    return (await this.request('POST', path, { body: object, signal })) as T
  }

  /** Replaces the object; refused with 409 when its resourceVersion is not the latest. */
  async update<T extends KubeObject>(
    kind: ResourceKind,
    object: T,
    options: { readonly subresource?: string; readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    const path = resourcePath(kind, { ...nameOf(object), subresource: options.subresource })
    return (await this.request('PUT', path, { body: object, signal: options.signal })) as T
  }

  async delete(kind: ResourceKind, at: ObjectName, signal?: AbortSignal): Promise<void> {
    await this.request('DELETE', resourcePath(kind, at), { signal })
  }

  /** RFC 7386 merge patch; `null` removes a field. */
  async mergePatch<T extends KubeObject>(
    kind: ResourceKind,
    at: ObjectName,
    patch: unknown,
    options: PatchOptions = {},
  ): Promise<T> {
    return (await this.request('PATCH', resourcePath(kind, { ...at, subresource: options.subresource }), {
      body: patch,
      contentType: 'application/merge-patch+json',
      query: { fieldManager: options.fieldManager },
      signal: options.signal,
    })) as T
  }

  /** Server-side apply: declares exactly the fields `fieldManager` wants; creates the object when absent. */
  async serverSideApply<T extends KubeObject>(kind: ResourceKind, object: T, options: ApplyOptions): Promise<T> {
    return (await this.request('PATCH', resourcePath(kind, { ...nameOf(object), subresource: options.subresource }), {
      body: object,
      // JSON is YAML.
      contentType: 'application/apply-patch+yaml',
      query: { fieldManager: options.fieldManager, force: options.force === true ? 'true' : undefined },
      signal: options.signal,
    })) as T
  }

  /** Any JSON exchange, for what the verbs above do not cover. */
  async request(
    method: string,
    path: string,
    options: {
      readonly body?: unknown
      readonly contentType?: string | undefined
      readonly query?: Readonly<Record<string, string | undefined>> | undefined
      readonly signal?: AbortSignal | undefined
    } = {},
  ): Promise<unknown> {
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
    const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
    try {
      const answer = await this.#exchange.send({ ...options, method, path, signal })
      if ((answer.statusCode ?? 0) >= 300) throw await failureOf(answer, `${method} ${path}`)
      return await readJson(answer)
    } catch (error) {
      if (!timeout.aborted || options.signal?.aborted === true || error instanceof KubeApiError) throw error
      throw new KubeConnectionError(
        `${method} ${path}: the API server ${this.#exchange.server} did not answer within ${REQUEST_TIMEOUT_MS} ms; check its load and the network to it`,
        { cause: error },
      )
    }
  }

  [Symbol.dispose](): void {
    this.#exchange.close()
  }
}

function nameOf(object: KubeObject): ObjectName {
  return { namespace: object.metadata.namespace, name: object.metadata.name }
}

function selectors(selection: Selection): Record<string, string | undefined> {
  return { labelSelector: selection.labelSelector, fieldSelector: selection.fieldSelector }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readList(page: unknown): {
  readonly items: readonly unknown[]
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string }
} {
  if (!isRecord(page)) throw new KubeAnswerError('a list of the API server is not an object')
  const items = page['items'] ?? []
  if (!Array.isArray(items)) throw new KubeAnswerError('a list of the API server has no items')
  return { items, metadata: isRecord(page['metadata']) ? page['metadata'] : {} }
}

function readEvent<T extends KubeObject>(line: string, kind: ResourceKind): WatchEvent<T> {
  const event: unknown = JSON.parse(line)
  if (!isRecord(event) || !isRecord(event['object']))
    throw new KubeAnswerError(`malformed watch event of ${kind.plural}`)
  const { type, object } = event
  if (type === 'ERROR') {
    const status = Number(object['code'] ?? 500)
    throw new KubeApiError(
      `watch of ${kind.plural} ended: ${String(object['message'])}`,
      status,
      String(object['reason']),
    )
  }
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED' && type !== 'BOOKMARK')
    throw new KubeAnswerError(`unknown watch event ${JSON.stringify(type)} of ${kind.plural}`)
  return { type, object: object as unknown as T }
}

async function failureOf(answer: IncomingMessage, what: string): Promise<KubeApiError> {
  const status = answer.statusCode ?? 0
  const body = await readJson(answer).catch(() => undefined)
  const message = isRecord(body) && typeof body['message'] === 'string' ? body['message'] : `HTTP ${status}`
  const reason = isRecord(body) && typeof body['reason'] === 'string' ? body['reason'] : ''
  return new KubeApiError(`${what}: ${message}`, status, reason)
}
