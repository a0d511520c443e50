import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

interface Stored {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    uid: string
    resourceVersion: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  [field: string]: unknown
}

type Kind = 'pods' | 'namespaces' | 'daemonsets' | 'nodes'
interface WatchEvent {
  readonly kind: Kind
  readonly line: string
  readonly version: number
}

/** The few verbs of a Kubernetes API server the node agent and its plugin use, over plain HTTP. */
export class MiniApi implements AsyncDisposable {
  readonly #server: Server
  readonly #objects = new Map<string, Stored>()
  readonly #watches = new Set<{ kind: Kind; response: ServerResponse }>()
  readonly #changed = new Set<() => void>()
  readonly #history: WatchEvent[] = []
  #version = 1

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  static async start(): Promise<MiniApi> {
    const api = new MiniApi()
    await new Promise<void>((resolve) => api.#server.listen(0, '127.0.0.1', resolve))
    return api
  }

  get url(): string {
    const address = this.#server.address()
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  }

  put(
    kind: Kind,
    object: { metadata: Partial<Stored['metadata']> & { name: string }; [field: string]: unknown },
  ): void {
    const key = keyOf(kind, object.metadata.namespace, object.metadata.name)
    const before = this.#objects.get(key)
    const version = ++this.#version
    const names = { pods: 'Pod', namespaces: 'Namespace', daemonsets: 'DaemonSet', nodes: 'Node' } as const
    const metadata = {
      uid: `uid-${object.metadata.name}`,
      ...before?.metadata,
      ...object.metadata,
      resourceVersion: String(version),
    }
    const stored: Stored = {
      ...before,
      ...object,
      apiVersion: kind === 'daemonsets' ? 'apps/v1' : 'v1',
      kind: names[kind],
      metadata,
    }
    this.#objects.set(key, stored)
    this.#announce(kind, before === undefined ? 'ADDED' : 'MODIFIED', stored)
  }

  delete(kind: Kind, namespace: string | undefined, name: string): void {
    const key = keyOf(kind, namespace, name)
    const object = this.#objects.get(key)
    this.#objects.delete(key)
    if (object !== undefined) {
      object.metadata.resourceVersion = String(++this.#version)
      this.#announce(kind, 'DELETED', object)
    }
  }

  annotation(namespace: string, name: string, key: string): string | undefined {
    return this.#objects.get(keyOf('pods', namespace, name))?.metadata.annotations?.[key]
  }

  /** Resolves once the test holds; asked again after every change. */
  async until(test: () => boolean): Promise<void> {
    while (!test()) await new Promise<void>((resolve) => this.#changed.add(resolve))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  #announce(kind: Kind, type: string, object: Stored): void {
    const line = `${JSON.stringify({ type, object })}\n`
    this.#history.push({ kind, line, version: this.#version })
    for (const watch of this.#watches) if (watch.kind === kind) watch.response.write(line)
    const waiting = [...this.#changed]
    this.#changed.clear()
    for (const wake of waiting) wake()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://x')
    const path =
      /^\/(?:api\/v1|apis\/apps\/v1)(?:\/namespaces\/([^/]+)(?=\/[a-z]))?\/(pods|namespaces|daemonsets|nodes)(?:\/([^/]+))?(?:\/status)?$/.exec(
        url.pathname,
      )
    const kind = path?.[2] as Kind | undefined
    if (path === null || kind === undefined) return answer(response, 404, { message: 'no such path' })
    const [, namespace, , name] = path
    if (request.method === 'PATCH')
      return this.#patch(response, keyOf(kind, namespace, name ?? ''), kind, await text(request))
    if (name !== undefined) {
      const object = this.#objects.get(keyOf(kind, namespace, name))
      return answer(response, object === undefined ? 404 : 200, object ?? { message: 'not found', code: 404 })
    }
    if (url.searchParams.get('watch') === 'true')
      return this.#watch(response, kind, Number(url.searchParams.get('resourceVersion')))
    const items = [...this.#objects].filter(([key]) => key.startsWith(`${kind}/`)).map(([, object]) => object)
    return answer(response, 200, { kind: 'List', metadata: { resourceVersion: String(this.#version) }, items })
  }

  #watch(response: ServerResponse, kind: Kind, since: number): void {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    for (const event of this.#history) if (event.kind === kind && event.version > since) response.write(event.line)
    const watch = { kind, response }
    this.#watches.add(watch)
    response.on('close', () => this.#watches.delete(watch))
  }

  #patch(response: ServerResponse, key: string, kind: Kind, body: string): void {
    const object = this.#objects.get(key)
    if (object === undefined) return answer(response, 404, { message: 'not found', code: 404 })
    const { metadata } = JSON.parse(body) as { metadata: { uid?: string; annotations?: Record<string, string | null> } }
    if (metadata.uid !== undefined && metadata.uid !== object.metadata.uid)
      return answer(response, 409, { message: 'uid', code: 409 })
    const merged = Object.entries({ ...object.metadata.annotations, ...metadata.annotations })
    const annotations = Object.fromEntries(merged.filter((entry): entry is [string, string] => entry[1] !== null))
    this.put(kind, { ...object, metadata: { ...object.metadata, annotations } })
    return answer(response, 200, this.#objects.get(key))
  }
}

function keyOf(kind: Kind, namespace: string | undefined, name: string): string {
  return `${kind}/${namespace ?? ''}/${name}`
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
