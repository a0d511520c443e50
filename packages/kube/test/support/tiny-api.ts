import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KubeClient, KubeConfig, type KubeObject } from '../../src/index.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void

/**
 * Answers as scripted over plain HTTP, for what a well-behaved API server would not do: forget versions, break off,
 * talk nonsense. What it should do is proven against the real one.
 */
export class TinyApi implements AsyncDisposable {
  readonly requests: string[] = []
  readonly client: KubeClient
  readonly #server: Server
  #handlers: { readonly match: string; readonly handle: Handler }[] = []

  private constructor(server: Server, port: number) {
    this.#server = server
    const config = new KubeConfig()
    config.loadFromClusterAndUser(
      { name: 'tiny', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
      { name: 'nobody', token: 'abc' },
    )
    this.client = new KubeClient(config)
    server.on('request', (request, response) => void this.#serve(request, response))
  }

  static async start(): Promise<TinyApi> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new TinyApi(server, (server.address() as AddressInfo).port)
  }

  /** The next request whose method and URL hold `match` is answered like this; earlier scripts first. */
  once(match: string, handle: Handler): this {
    this.#handlers.push({ match, handle })
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]()
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const line = `${request.method} ${request.url}`
    this.requests.push(line)
    const index = this.#handlers.findIndex(({ match }) => match.split(' ').every((part) => line.includes(part)))
    const [script] = index < 0 ? [] : this.#handlers.splice(index, 1)
    // Unscripted requests hang, like a watch without news.
    script?.handle(request, response, Buffer.concat(chunks).toString('utf8'))
  }
}

export function json(status: number, body: unknown): Handler {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }
}

export function list(resourceVersion: string, ...items: readonly KubeObject[]): Handler {
  return json(200, { kind: 'PodList', metadata: { resourceVersion }, items })
}

/** Watch events, then the end of the answer unless it is to stay open. */
export function events(items: readonly unknown[], o: { readonly stayOpen?: boolean } = {}): Handler {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    for (const item of items) response.write(`${JSON.stringify(item)}\n`)
    if (o.stayOpen !== true) response.end()
  }
}

export function pod(name: string, resourceVersion: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'a', name, resourceVersion } }
}

export function failure(code: number, reason: string): Handler {
  return json(code, { kind: 'Status', code, reason, message: `scripted ${reason}` })
}
