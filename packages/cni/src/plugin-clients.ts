import { request as httpRequest } from 'node:http'
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https'
import { type CniAddEvent, encodeCniAddEvent } from './cni-add-event.ts'
import { PLUGIN_API_TIMEOUT_MS, PLUGIN_MAX_ANSWER_BYTES, PLUGIN_REQUEST_TIMEOUT_MS } from './limits.ts'
import type { PluginAccess } from './plugin-kubeconfig.ts'

interface Answer {
  readonly status: number
  readonly text: string
}

/**
 * Reads objects of the API server, without any client library: the plugin runs anew for every pod. All over one
 * connection: a handshake costs more than waiting for each other.
 */
export function objectReader(access: PluginAccess): (path: string) => Promise<unknown> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const headers = { authorization: `Bearer ${access.token}`, accept: 'application/json' }
  const ca = access.caPem === undefined ? {} : { ca: access.caPem }
  const options: RequestOptions = { method: 'GET', headers, ...ca, timeout: PLUGIN_API_TIMEOUT_MS }
  return async (path) => {
    const url = new URL(path, access.server)
    const { status, text } = await exchange(
      url.protocol === 'http:' ? httpRequest(url, options) : httpsRequest(url, { ...options, agent }),
    )
    if (status === 404) return undefined
    if (status !== 200) throw new Error(`GET ${url.href} answered ${status}: ${text.slice(0, 500)}`)
    return JSON.parse(text)
  }
}

/** Tells the agent of a new pod and waits until it is enrolled. */
export async function reportPod(socketPath: string, event: CniAddEvent): Promise<void> {
  const { status, text } = await askAgent(socketPath, '/cmdadd', event)
  if (status !== 200) throw new Error(`the agent answered ${status}: ${text.trim()}`)
}

/** What the agent finds wrong with the pod; nothing when it is away, as the pod goes on without it. */
export async function checkPod(socketPath: string, event: CniAddEvent): Promise<string | undefined> {
  try {
    const { status, text } = await askAgent(socketPath, '/cmdcheck', event)
    return status === 409 ? text.trim() : undefined
  } catch {
    return undefined
  }
}

function askAgent(socketPath: string, path: string, event: CniAddEvent): Promise<Answer> {
  const body = encodeCniAddEvent(event)
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  return exchange(httpRequest({ socketPath, path, method: 'POST', headers, timeout: PLUGIN_REQUEST_TIMEOUT_MS }), body)
}

function exchange(request: ReturnType<typeof httpRequest>, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on('error', reject)
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > PLUGIN_MAX_ANSWER_BYTES)
          request.destroy(new Error(`an answer of more than ${PLUGIN_MAX_ANSWER_BYTES} bytes`))
        else chunks.push(chunk)
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    request.end(body)
  })
}
