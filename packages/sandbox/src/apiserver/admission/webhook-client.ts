import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { messageOf } from '@ambit/core'
import { Semaphore } from '../../kubelet/semaphore.ts'
import type { JsonObject } from '../json.ts'
import { MAX_WEBHOOK_CALLS, MAX_WEBHOOK_RESPONSE_BYTES } from '../limits.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { serviceEndpoint } from './service-endpoint.ts'
import type { Webhook } from './webhook-config.ts'

/** A webhook that couldn't be asked; the reason is for whoever made the request. */
export class WebhookCallError extends Error {}

/** Asks webhooks over HTTPS. A service is reached at one of its ready endpoints, under the service's own name. */
export class WebhookClient implements Disposable {
  readonly #store: ObjectStore
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 8 })
  readonly #slots = new Semaphore(MAX_WEBHOOK_CALLS)

  constructor(store: ObjectStore) {
    this.#store = store
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  /** The answer's body as JSON. */
  async call(webhook: Webhook, review: JsonObject): Promise<unknown> {
    const { url, address } = this.#destination(webhook)
    url.searchParams.set('timeout', `${webhook.timeoutMs / 1000}s`)
    try {
      return await this.#slots.run(() => this.#post(webhook, url, address, JSON.stringify(review)))
    } catch (error) {
      throw new WebhookCallError(`Post ${JSON.stringify(url.href)}: ${messageOf(error)}`)
    }
  }

  #destination(webhook: Webhook): { readonly url: URL; readonly address: { host: string; port: number } | undefined } {
    const { address } = webhook
    if (address.kind === 'url') return { url: new URL(address.url), address: undefined }
    const { namespace, name, port, path } = address
    const url = new URL(`https://${name}.${namespace}.svc:${port}`)
    url.pathname = path
    const found = serviceEndpoint(this.#store, namespace, name, port)
    if (!found.ok) throw new WebhookCallError(`Post ${JSON.stringify(url.href)}: ${found.why}`)
    return { url, address: found }
  }

  async #post(
    webhook: Webhook,
    url: URL,
    address: { readonly host: string; readonly port: number } | undefined,
    body: string,
  ): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const signal = AbortSignal.timeout(webhook.timeoutMs)
    const call = request({
      agent: this.#agent,
      method: 'POST',
      host: address?.host ?? url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: address?.port ?? (url.port === '' ? 443 : Number(url.port)),
      path: `${url.pathname}${url.search}`,
      ...(address === undefined ? {} : { servername: url.hostname }),
      ...(webhook.caPem === undefined ? {} : { ca: webhook.caPem }),
      headers: {
        host: url.host,
        accept: 'application/json, */*',
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'kube-apiserver-admission',
      },
      signal,
    })
    call.once('response', resolve)
    call.on('error', (error) =>
      reject(signal.aborted ? new Error('context deadline exceeded (no answer in time)') : error),
    )
    call.end(body)
    const response = await promise
    const text = await readText(response)
    const status = response.statusCode ?? 0
    if (status !== 200) throw new Error(`the server answered with status ${status}: ${text.slice(0, 200)}`)
    return JSON.parse(text) as unknown
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_WEBHOOK_RESPONSE_BYTES) {
      response.destroy()
      throw new Error(`the answer is longer than ${MAX_WEBHOOK_RESPONSE_BYTES} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
