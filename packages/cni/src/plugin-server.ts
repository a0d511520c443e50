import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Closable, Counter, Logger } from '@ambit/core'
import { collectBytes, messageOf } from '@ambit/core'
import { type CniAddEvent, decodeCniAddEvent } from './cni-add-event.ts'
import { PLUGIN_MAX_BODY_BYTES, PLUGIN_MAX_CONNECTIONS, PLUGIN_REQUEST_TIMEOUT_MS } from './limits.ts'

const PATHS: readonly string[] = ['/cmdadd', '/cmddecide', '/cmdcheck']

export interface PluginServerComponents {
  readonly logger: Logger
  readonly requests: Counter
  /** Resolves once the pod may start; the message of a rejection reaches the pod's events. */
  readonly onAdd: (event: CniAddEvent) => Promise<void>
  /** As `onAdd`, of a pod of which nobody knows yet whether it is to be enrolled; resolves to the reason if it is not. */
  readonly onDecide: (event: CniAddEvent) => Promise<string | undefined>
  /** What is wrong with a pod that runs, if anything. */
  readonly onCheck: (event: CniAddEvent) => Promise<string | undefined>
}

/**
 * Where the CNI plugin reports new pods, on a unix socket only root may use: `POST /cmdadd` those it has chosen (Istio's
 * plugin), `/cmddecide` any (ours), and `/cmdcheck` one that runs.
 */
export class PluginServer implements Closable {
  readonly #components: PluginServerComponents
  readonly #server: Server

  private constructor(components: PluginServerComponents) {
    this.#components = components
    this.#server = createServer(
      { requestTimeout: PLUGIN_REQUEST_TIMEOUT_MS, headersTimeout: PLUGIN_REQUEST_TIMEOUT_MS },
      (request, response) => void this.#serve(request, response),
    )
    this.#server.maxConnections = PLUGIN_MAX_CONNECTIONS
  }

  static async listen(components: PluginServerComponents, path: string): Promise<PluginServer> {
    const self = new PluginServer(components)
    await rm(path, { force: true })
    await new Promise<void>((resolve, reject) => {
      self.#server.once('error', reject)
      self.#server.listen(path, resolve)
    })
    self.#server.on('error', (error) => components.logger.warn('plugin server failed', { error: error.message }))
    await chmod(path, 0o600)
    return self
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeIdleConnections()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined)
    const { status, text } = await this.#answer(request)
    this.#components.requests.add({ response_code: String(status) })
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
    response.end(text)
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; text: string }> {
    if (!PATHS.includes(request.url ?? '')) return { status: 404, text: 'not found\n' }
    if (request.method !== 'POST') return { status: 405, text: 'method not allowed\n' }
    try {
      const body = await collectBytes(request, PLUGIN_MAX_BODY_BYTES)
      if (body === undefined) return { status: 413, text: 'body too large\n' }
      const event = decodeCniAddEvent(body.toString('utf8'))
      if ('problem' in event) return { status: 400, text: `${event.problem}\n` }
      if (request.url === '/cmdcheck') {
        const problem = await this.#components.onCheck(event)
        return problem === undefined ? { status: 200, text: '' } : { status: 409, text: `${problem}\n` }
      }
      if (request.url === '/cmddecide') {
        const reason = await this.#components.onDecide(event)
        return { status: 200, text: reason === undefined ? 'enrolled\n' : `not enrolled: ${reason}\n` }
      }
      await this.#components.onAdd(event)
      return { status: 200, text: '' }
    } catch (error) {
      this.#components.logger.error('new pod could not be enrolled, its sandbox fails', { error: messageOf(error) })
      return { status: 500, text: `${messageOf(error)}\n` }
    }
  }
}
