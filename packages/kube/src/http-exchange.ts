import http from 'node:http'
import https from 'node:https'
import { createSecureContext } from 'node:tls'
import { messageOf } from '@ambit/core'
import type { KubeConfig } from '@kubernetes/client-node'
import { KubeAnswerError, KubeConnectionError } from './errors.ts'
import { MAX_ANSWER_BYTES, MAX_IDLE_CONNECTIONS } from './limits.ts'

export interface ExchangeRequest {
  readonly method: string
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>> | undefined
  readonly contentType?: string | undefined
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

/** HTTP towards one API server: address, trust and credentials from a kubeconfig, connections kept. */
export class HttpExchange {
  readonly #config: KubeConfig
  #agent: { readonly key: string; readonly agent: http.Agent } | undefined

  constructor(config: KubeConfig) {
    this.#config = config
  }

  get server(): string {
    return this.#config.getCurrentCluster()?.server ?? ''
  }

  async send(request: ExchangeRequest): Promise<http.IncomingMessage> {
    const url = new URL(this.server.replace(/\/$/, '') + request.path)
    for (const [key, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) url.searchParams.set(key, value)
    }
    const credentials: https.RequestOptions = { headers: {} }
    await this.#config.applyToHTTPSOptions(credentials)
    const body = request.body === undefined ? undefined : JSON.stringify(request.body)
    const options: https.RequestOptions = {
      method: request.method,
      agent: this.#agentFor(url, credentials),
      headers: {
        ...(credentials.headers as http.OutgoingHttpHeaders),
        accept: 'application/json',
        ...(body === undefined
          ? {}
          : {
              'content-type': request.contentType ?? 'application/json',
              'content-length': Buffer.byteLength(body),
            }),
      },
      ...(credentials.auth === undefined ? {} : { auth: credentials.auth }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    }
    const transport = url.protocol === 'http:' ? http : https
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>()
    const outgoing = transport.request(url, options, resolve)
    outgoing.on('error', (error) => {
      reject(
        request.signal?.aborted
          ? (request.signal.reason as Error)
          : new KubeConnectionError(
              `${request.method} ${url.origin}${request.path} failed: ${messageOf(error)}; check that the API server is reachable and its CA trusted`,
              { cause: error },
            ),
      )
    })
    outgoing.end(body)
    return await promise
  }

  close(): void {
    this.#agent?.agent.destroy()
    this.#agent = undefined
  }

  /** One agent as long as trust and client certificate stay the same: both may be rotated on disk. */
  #agentFor(url: URL, credentials: https.RequestOptions): http.Agent {
    if (this.#config.getCurrentCluster()?.proxyUrl && credentials.agent instanceof http.Agent) return credentials.agent
    const key = [credentials.ca, credentials.cert, credentials.rejectUnauthorized, credentials.servername]
      .map(String)
      .join('\n')
    if (this.#agent?.key === key) return this.#agent.agent
    const settings = { keepAlive: true, maxFreeSockets: MAX_IDLE_CONNECTIONS }
    const agent =
      url.protocol === 'http:'
        ? new http.Agent(settings)
        : new https.Agent({
            ...settings,
            // Made once: reading the roots costs more than a handshake.
            secureContext: createSecureContext({
              ca: credentials.ca,
              cert: credentials.cert,
              key: credentials.key,
              passphrase: credentials.passphrase,
            }),
            rejectUnauthorized: credentials.rejectUnauthorized ?? true,
            ...(credentials.servername === undefined ? {} : { servername: credentials.servername }),
          })
    this.#agent = { key, agent }
    return agent
  }
}

/** The whole body as JSON. */
export async function readJson(answer: http.IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_ANSWER_BYTES) {
      answer.destroy()
      throw new KubeAnswerError(`answer of the API server is above ${MAX_ANSWER_BYTES} bytes`)
    }
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new KubeAnswerError(
      `HTTP ${answer.statusCode} of the API server is not JSON: ${JSON.stringify(text.slice(0, 200))}; is this really a Kubernetes API server?`,
      { cause: error },
    )
  }
}
